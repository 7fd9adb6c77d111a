"""The doors to the outside: the API server (``cluster``), its watch streams (``watch``), and the clock (``clock``).

Only this room imports ``kubernetes_asyncio`` and ``aiohttp``; only ``clock`` reads the time.
"""
