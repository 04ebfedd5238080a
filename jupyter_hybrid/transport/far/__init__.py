"""The far side of a transport: answers requests, and ends when the connection does.

Sent as text at each connection and executed by whatever ``python3`` the machine has: Python 3.6,
standard library only, and nothing of ours beyond this folder.
"""
