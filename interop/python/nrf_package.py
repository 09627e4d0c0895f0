"""The packaging module of nrfutil as a command line; its own needs drivers for boards that nobody has here.

    sign KEY OUT INPUT KIND FIRMWARE_VERSION HARDWARE_VERSION SOFTDEVICES VALIDATION
    verify KEY FILE
"""

import hashlib
import os
import tempfile

from ecdsa.util import sigdecode_string
from nordicsemi.dfu.init_packet_pb import InitPacketPB
from nordicsemi.dfu.package import Package
from nordicsemi.dfu.signing import Signing


def load(file):
    signer = Signing()
    signer.load_key(file)
    return signer


def sign(key, out, source, kind, firmware, hardware, softdevices, validation):
    ids = [int(word) for word in softdevices.split(",")]
    common = {"hw_version": int(hardware), "sd_req": ids, "sd_id": ids, "signer": load(key)}
    made = {
        "application": lambda: Package(
            app_fw=source, app_version=int(firmware), app_boot_validation=validation, **common
        ),
        "external_application": lambda: Package(
            app_fw=source, app_version=int(firmware), app_boot_validation=validation, is_external=True, **common
        ),
        "bootloader": lambda: Package(bootloader_fw=source, bl_version=int(firmware), **common),
    }[kind]()
    made.generate_package(out)


def verify(key, file):
    verifier = load(key).sk.get_verifying_key()
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "package")
        manifest = Package.unpack_package(file, target)
        parts = [manifest.softdevice_bootloader, manifest.softdevice, manifest.bootloader, manifest.application]
        for part in filter(None, parts):
            with open(os.path.join(target, part.dat_file), "rb") as handle:
                packet = InitPacketPB(from_bytes=handle.read())
            with open(os.path.join(target, part.bin_file), "rb") as handle:
                digest = hashlib.sha256(handle.read()).digest()[::-1]
            swapped = packet.packet.signed_command.signature
            signature = swapped[31::-1] + swapped[63:31:-1]
            verifier.verify(
                signature, packet.get_init_command_bytes(), hashfunc=hashlib.sha256, sigdecode=sigdecode_string
            )
            if digest != packet.init_command.hash.hash:
                raise ValueError("hash")


def main(args):
    {"sign": sign, "verify": verify}[args[0]](*args[1:])
