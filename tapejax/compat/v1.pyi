from typing import Any

# Its names are found in other namespaces when they are used.
def __getattr__(name: str) -> Any: ...
