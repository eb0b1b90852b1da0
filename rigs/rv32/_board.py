"""The board's flash: littlefs in the memory that nothing else uses. It survives a soft reset and not more."""

import uctypes
import vfs

_ADDRESS = 0x81000000
_BLOCK_BYTES = 512
_BLOCKS = 8192


class _Flash:
    def __init__(self):
        self._memory = memoryview(uctypes.bytearray_at(_ADDRESS, _BLOCKS * _BLOCK_BYTES))

    def readblocks(self, block, buffer, offset=0):
        at = block * _BLOCK_BYTES + offset
        buffer[:] = self._memory[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        at = block * _BLOCK_BYTES + offset
        self._memory[at : at + len(buffer)] = buffer

    def ioctl(self, operation, argument):
        if operation == 4:
            return _BLOCKS
        if operation == 5:
            return _BLOCK_BYTES
        return 0


def mount():
    flash = _Flash()
    try:
        disk = vfs.VfsLfs2(flash)
    except OSError:
        vfs.VfsLfs2.mkfs(flash)
        disk = vfs.VfsLfs2(flash)
    vfs.mount(disk, "/")
