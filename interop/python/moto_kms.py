"""moto as a server whose KMS signs digests.

moto hashes what comes with MessageType DIGEST once more, and salts PSS with as much as fits, where AWS takes the length
of the hash (getmoto/moto pull request 10202): what it signs then verifies nowhere. Everything else is moto's own.
"""

import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from moto.kms import utils as kms
from moto.server import main

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def sign(self, message: bytes, signing_algorithm: str) -> bytes:
    algorithm = HASHES[signing_algorithm[-3:]]
    if len(message) != algorithm.digest_size:
        raise ValueError("not a digest")
    hashed = utils.Prehashed(algorithm)
    if signing_algorithm.startswith("ECDSA"):
        return self.private_key.sign(message, ec.ECDSA(hashed))
    if "PSS" in signing_algorithm:
        salted = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        return self.private_key.sign(message, salted, hashed)
    return self.private_key.sign(message, padding.PKCS1v15(), hashed)


kms.RSAPrivateKey.sign = sign
kms.ECDSAPrivateKey.sign = sign
main(sys.argv[1:])
