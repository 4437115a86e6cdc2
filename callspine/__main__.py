"""`python -m callspine`: the same as the `callspine` command."""

from callspine.main import main

main()
