"""What an installer leaves of a distribution of plugins."""

from pathlib import Path


def distribution(folder: Path, name: str, entry_points: str | bytes, metadata: str | bytes | None = None) -> Path:
    """Metadata beside the modules of a folder that is, or will be, on the path."""
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" if metadata is None else metadata
    for file, content in (("METADATA", metadata), ("entry_points.txt", entry_points)):
        (about / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    return about
