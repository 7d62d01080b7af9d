"""A secret that got somewhere is found."""

import base64

from rig import canaries

SECRET = "canary/with+every=letter-of_a.secret"


def test_a_secret_is_found_as_it_is_and_in_base64(tmp_path):
    plain, encoded, clean = (tmp_path / name for name in ("plain.log", "encoded", "clean.log"))
    plain.write_text(f'{{"message":"{SECRET}"}}\n')
    # As in the files of etcd: no text, and no lines.
    encoded.write_bytes(bytes(range(256)) + base64.b64encode(SECRET.encode()) + bytes(64))
    clean.write_text(SECRET[:-1])
    found = canaries.found({SECRET, "another one, which is nowhere"}, [plain, encoded, clean, tmp_path / "missing"])
    assert [line.rpartition("/")[2].partition(":")[0] for line in found] == ["encoded", "plain.log"]
    assert SECRET not in "".join(found)


def test_without_secrets_or_files_nothing_is_found(tmp_path):
    assert canaries.found([], [tmp_path]) == canaries.found([SECRET], [tmp_path / "missing"]) == []
