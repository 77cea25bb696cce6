"""A caproto IOC with one PV of each kind that caproto's servers send in a way of their own."""

from caproto import ChannelType
from caproto.server import PVGroup, pvproperty
from caproto.server import run as serve


class Records(PVGroup):
    number = pvproperty(name="DOUBLE", value=1.5, units="mm")
    text = pvproperty(name="TEXT", value="on", dtype=ChannelType.STRING)
    choice = pvproperty(name="ENUM", value="b", enum_strings=["a", "b"], dtype=ChannelType.ENUM)
    array = pvproperty(name="ARRAY", value=[1.5, 2.5], max_length=10, units="V")
    texts = pvproperty(name="TEXTS", value=["a", "bc"], dtype=ChannelType.STRING, max_length=5)
    chars = pvproperty(name="CHARS", value=b"hello", dtype=ChannelType.CHAR, max_length=20)


if __name__ == "__main__":
    serve(Records(prefix="T:").pvdb, interfaces=["127.0.0.1"], log_pv_names=False)
