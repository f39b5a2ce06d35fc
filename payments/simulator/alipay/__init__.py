"""Alipay as a server. What it accepts, refuses and answers follows Alipay's open platform, gateway 1.0."""
