"""WeChat Pay v2 as a server: flat XML, signed with a digest over a key that both sides have."""
