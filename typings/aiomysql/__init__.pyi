"""Types of what is used of aiomysql, which has none of its own."""

from typing import Any

MySQLError: type[Exception]

async def connect(**options: Any) -> Any: ...
