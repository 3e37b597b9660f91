"""The published schema of the cTrader Open API, and what is compiled from it.

``anyctrader.proto.schema`` has the message classes and enums; programs know them as
``anyctrader.wire.messages``.
``VERSION`` beside this file says which published state they follow.
"""

__all__ = ["schema"]
