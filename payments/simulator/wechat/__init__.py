"""
WeChat Pay as a server. A merchant registers once and may call v2 (XML) and APIv3 (JSON) on one book.

What both have in common stands here; `v2` and `v3` speak.
"""
