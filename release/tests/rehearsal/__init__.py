"""A rehearsal and its parts, on real git, a real registry and a real control plane."""
