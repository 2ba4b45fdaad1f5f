"""What the client programs come with: the Node lock file, and the messages of errors."""

import json
import subprocess
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2
from tests.clients.languages import BUF, CLIENTS


def test_node_lock_file_pins_contents_and_names_no_host() -> None:
    lock = json.loads((CLIENTS / "node" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert "node_modules/@grpc/grpc-js" in packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not [name for name, package in packages.items() if "resolved" in package]


def test_messages_of_errors_agree_with_those_of_google(tmp_path: Path) -> None:
    image = tmp_path / "image.binpb"
    subprocess.run(
        [BUF, "build", CLIENTS / "google_rpc.proto", "-o", image], timeout=60, check=True
    )
    files = FileDescriptorSet.FromString(image.read_bytes()).file
    (ours,) = [file for file in files if file.package == "google.rpc"]
    theirs = {
        message.full_name: {
            (field.name, field.number, field.type, field.is_repeated) for field in message.fields
        }
        for message in (status_pb2.Status.DESCRIPTOR, error_details_pb2.ErrorInfo.DESCRIPTOR)
    }
    assert theirs == {
        f"google.rpc.{message.name}": {
            (field.name, field.number, field.type, field.label == field.LABEL_REPEATED)
            for field in message.field
        }
        for message in ours.message_type
    }
