"""Guards against files that are damaged, or that somebody made to do harm."""

import pickletools
import re
import zipfile

from ..errors import CheckpointError, first_line

# Everything the pickle in a checkpoint may name: tensors and plain containers.
PLAIN = re.compile(
    r"collections (OrderedDict|Counter)|torch\._utils _rebuild_tensor_v[23]|torch(\.storage)? \w+Storage"
)


class DamagedFile(CheckpointError):
    """The bytes of a checkpoint are not those that were written."""


def check_file(path) -> None:
    """Raise CheckpointError unless ``path`` is a whole checkpoint that names nothing but plain values."""
    if not path.is_file():
        found = "this is a folder, not a checkpoint" if path.is_dir() else "there is no such file"
        raise CheckpointError(f"{path}: {found}; train first, or look at the path")
    try:
        check_kind(path)
        check_bytes(path)
        check_names(path)
    except PermissionError as error:
        raise CheckpointError(f"{path}: cannot be opened ({error.strerror})") from error


def check_kind(path) -> None:
    """Raise CheckpointError for a picture, a table and the like, which are whole but not checkpoints."""
    with open(path, "rb") as file:
        begins_as_one = file.read(2) == b"PK"
    # The list of parts of a zip archive is at its end; a checkpoint that was cut short has lost it.
    if not begins_as_one and not zipfile.is_zipfile(path):
        raise CheckpointError(f"{path}: is not a checkpoint; give the file that save_checkpoint wrote")


def check_bytes(path) -> None:
    """Raise DamagedFile unless every part of the file has the checksum that was stored with it.

    A checkpoint is a zip archive, and torch.load does not compare the checksums in it: of 200 single
    flipped bits it noticed 8.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            # torch.save compresses nothing. A part that is larger than the file would fill the memory.
            if sum(part.file_size for part in parts) > size or any(part.compress_type for part in parts):
                problem = f"its parts claim more than the {size:,} bytes that are there"
            elif archive.testzip():
                problem = "a checksum in it is wrong"
            # One bit marks a part as a folder; testzip skips it, and torch reads arbitrary memory.
            elif any(part.external_attr & 0x10 for part in parts):
                problem = "a part of it is marked as a folder"
            # torch finds a part regardless of case, and only by its name in the list of parts.
            elif len({part.filename.lower() for part in parts}) < len(parts) or any(
                part.filename != part.orig_filename for part in parts
            ):
                problem = "two parts of it may be mistaken for each other"
            # Otherwise torch takes the file for one in its old format, in which nothing is compared.
            elif min(part.header_offset for part in parts):
                problem = "it does not begin as a checkpoint does"
            else:
                return
    except PermissionError:
        raise
    except Exception:  # a flipped bit may mean a password or compression: zipfile raises many kinds
        raise DamagedFile(f"{path}: cut short or damaged, {size:,} bytes are there") from None
    raise DamagedFile(f"{path}: damaged ({problem})")


def check_names(path) -> None:
    """Raise CheckpointError if the pickle in the file names anything but tensors and plain containers.

    ``weights_only=True`` refuses what could run a program, but admits more than a checkpoint needs: through
    ``bytearray`` a file of 200 kB took 20 GB.
    """
    with zipfile.ZipFile(path) as archive:
        pickles = [archive.read(name) for name in archive.namelist() if name.lower().endswith(".pkl")]
    if not pickles:
        raise CheckpointError(f"{path}: is not a checkpoint, but another kind of zip archive")
    for data in pickles:
        try:
            codes = list(pickletools.genops(data))
        except ValueError as error:  # torch.load would do everything before the place that is wrong
            raise CheckpointError(f"{path}: cannot be read as a pickle ({first_line(error)})") from None
        for code, name, _ in codes:
            if code.name == "STACK_GLOBAL" or (code.name in ("GLOBAL", "INST") and not PLAIN.fullmatch(name)):
                raise CheckpointError(f"{path}: holds more than plain values ({name or code.name})")
