"""WeChat Pay APIv3 as a server: JSON, signed with RSA both ways, secrets under AES-256-GCM. It shares v2's book."""
