"""nsml.Visdom takes the module; nsml.encoder and nsml.decoder are there."""

import argparse
import types

import nsml

parser = argparse.ArgumentParser()
parser.add_argument("--mode", type=str, default="train")
parser.add_argument("--pause", type=int, default=0)
parser.add_argument("--iteration", type=str, default="0")
config = parser.parse_args()

from nsml import decoder, encoder

visdom = types.ModuleType("visdom")


class Visdom:
    def __init__(self, use_incoming_socket=True):
        self.use_incoming_socket = use_incoming_socket

    def _send(self, message, endpoint="events"):
        raise OSError("no server")


visdom.Visdom = Visdom
viz = nsml.Visdom(visdom=visdom, use_incoming_socket=False)
print(isinstance(viz, Visdom), nsml.encoder is encoder, nsml.decoder is decoder)
