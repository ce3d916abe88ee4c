"""The identity of the operator, which the audit log stores."""

import getpass
import shutil
import subprocess


def operator_name(*, in_cloud: bool) -> str:
    """The gcloud account for a project of the cloud; otherwise the user of the OS."""
    account = _gcloud_account() if in_cloud else None
    return account or getpass.getuser()


def _gcloud_account() -> str | None:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return None
    result = subprocess.run(
        [gcloud, "config", "get-value", "account"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    account = result.stdout.strip()
    return account if result.returncode == 0 and "@" in account else None
