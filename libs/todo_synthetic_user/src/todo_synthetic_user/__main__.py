"""`python -m todo_synthetic_user`: the program `todo-synthetic-user`."""

import sys

from todo_synthetic_user.program import main

sys.exit(main())
