"""Who is at the terminal: the name that the audit log will keep."""

import getpass
import shutil
import subprocess


def operator_name(*, in_cloud: bool) -> str:
    """The account of gcloud for the cloud, where the log must name it; else the user of the OS."""
    account = _gcloud_account() if in_cloud else None
    return account or getpass.getuser()


def _gcloud_account() -> str | None:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return None
    asked = subprocess.run(
        [gcloud, "config", "get-value", "account"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    account = asked.stdout.strip()
    return account if asked.returncode == 0 and "@" in account else None
