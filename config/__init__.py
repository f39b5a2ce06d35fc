"""Where the project is put together: settings, addresses, processes, start page, demo data."""
