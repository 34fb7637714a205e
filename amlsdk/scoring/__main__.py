"""`python -m amlsdk.scoring --root FOLDER`: serves a bundle from an installation of amlsdk."""

from amlsdk.scoring.worker import main

if __name__ == "__main__":
    main()
