"""`python -m amlsdk`: the command `aml`, where it is not on the path."""

from amlsdk.cli import main

if __name__ == "__main__":
    main()
