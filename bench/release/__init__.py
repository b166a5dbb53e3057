"""The release engine beside what teams use instead: whole commands, in turns, in one run."""
