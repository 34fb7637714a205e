"""Runs a scoring script once, in a process of its own, and tells what it needed.

Started as `python -I -S <this folder>`, where `amlsdk` is what an image has of it: everything in this folder imports
the standard library, and of amlsdk nothing but `amlsdk.scoring`.
"""
