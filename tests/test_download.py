import gzip
import hashlib
import os
import subprocess
from pathlib import Path

import pytest
import requests
from depthgauge import download as module
from depthgauge.datasets import sources
from depthgauge.download import download
from depthgauge.errors import UserError
from http_server import answer, cut_off, in_turn, redirect, running, serve

DATA = bytes(range(256)) * 300
SHA256 = hashlib.sha256(DATA).hexdigest()
QUICK = {"backoff": 0.0, "timeout": (2, 0.4), "progress": False}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("DEPTHGAUGE_MIRROR", raising=False)
    with running() as server:
        yield server


def left_behind(path):
    return sorted(file.name for file in path.parent.iterdir() if file != path)


def test_fetches_checks_and_does_not_fetch_again(server, tmp_path):
    server.routes["/f"] = serve(DATA)
    path = tmp_path / "deep" / "f.bin"
    assert download(server.url("/f"), path, sha256=SHA256, **QUICK) == path
    assert path.read_bytes() == DATA
    assert left_behind(path) == []
    before = path.stat().st_mtime_ns
    download(server.url("/f"), path, sha256=SHA256.upper(), **QUICK)
    assert server.count("/f") == 1
    assert path.stat().st_mtime_ns == before


def test_a_file_there_but_wrong_is_fetched_again(server, tmp_path):
    server.routes["/f"] = serve(DATA)
    path = tmp_path / "f.bin"
    path.write_bytes(b"something else")
    download(server.url("/f"), path, md5=hashlib.md5(DATA).hexdigest(), **QUICK)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize(
    "check", [{"sha256": "0" * 64}, {"md5": "0" * 32}, {"size": 7}, {"content_md5": "0" * 32}]
)
def test_a_wrong_file_never_appears_and_is_not_asked_for_twice(server, tmp_path, check):
    server.routes["/f"] = serve(DATA)
    path = tmp_path / "f.bin"
    with pytest.raises(UserError) as error:
        download(server.url("/f"), path, **check, **QUICK)
    text = str(error.value)
    assert str(path) in text and server.url("/f") in text and "mirror" in text
    assert "expected" in text or "gzip" in text
    assert list(tmp_path.iterdir()) == []
    assert server.count("/f") == 1


def test_an_old_file_survives_a_failed_download(server, tmp_path):
    path = tmp_path / "f.bin"
    path.write_bytes(b"old")
    with pytest.raises(UserError):
        download(server.url("/nothing"), path, sha256=SHA256, **QUICK)
    assert path.read_bytes() == b"old"


def test_sources_are_asked_in_order_and_each_reason_is_named(server, tmp_path):
    server.routes |= {
        "/gone": answer(404),
        "/ill": answer(500),
        "/page": answer(200),
        "/disguised": serve(b"\n <!DOCTYPE HTML><p>log in first"),
        "/wrong": serve(DATA[1:]),
    }
    urls = [server.url(path) for path in server.routes]
    path = tmp_path / "f.bin"
    with pytest.raises(UserError) as error:
        download([*urls, "nonsense", "http://127.0.0.1:9/f"], path, sha256=SHA256, **QUICK)
    lines = str(error.value).splitlines()
    assert len(lines) == 1 + len(urls) + 2 + 1
    for url, reason in zip(urls, ["404", "500", "HTML", "HTML", "sha256"], strict=True):
        assert any(url in line and reason in line for line in lines)
    place = server.url("/gone").removeprefix("http://")
    assert place in lines[-1]
    # What may pass is asked again, what will not is not.
    assert [server.count(path) for path in server.routes] == [1, 4, 1, 1, 1]
    server.routes["/good"] = serve(DATA)
    download([*urls, server.url("/good")], path, sha256=SHA256, **QUICK)
    assert path.read_bytes() == DATA
    assert left_behind(path) == []


def test_a_server_that_recovers_is_waited_for(server, tmp_path, monkeypatch):
    naps = []
    monkeypatch.setattr(module.time, "sleep", naps.append)
    server.routes["/f"] = in_turn(answer(503), answer(429), answer(500), serve(DATA))
    download(server.url("/f"), tmp_path / "f", sha256=SHA256, **QUICK | {"backoff": 0.5})
    assert naps == [0.5, 1.0, 2.0]


def test_https_comes_before_http(tmp_path, monkeypatch):
    asked = []

    def get(session, url, *args):
        asked.append(url)
        raise module._Refused("no")

    monkeypatch.setattr(module, "_get", get)
    urls = ["http://a/f", "https://b/f", "http://c/f", "https://d/f"]
    with pytest.raises(UserError):
        download(urls, tmp_path / "f", sha256=SHA256, **QUICK)
    assert asked == ["https://b/f", "https://d/f", "http://a/f", "http://c/f"]


def test_resumes_where_it_was_cut_off(server, tmp_path):
    server.routes["/f"] = in_turn(
        cut_off(DATA, 50_000, etag='"1"'),
        serve(DATA, etag='"1"'),
    )
    download(server.url("/f"), tmp_path / "f", sha256=SHA256, **QUICK)
    assert (tmp_path / "f").read_bytes() == DATA
    assert ("/f", "bytes=50000-") in server.requests
    assert left_behind(tmp_path / "f") == []


def test_resumes_what_an_earlier_run_left(server, tmp_path):
    path = tmp_path / "f.bin"
    server.routes["/f"] = cut_off(DATA, 50_000, etag='"1"')
    with pytest.raises(UserError, match="50000"):
        download(server.url("/f"), path, **QUICK)
    assert not path.exists()
    server.routes["/f"] = serve(DATA, etag='"1"')
    download(server.url("/f"), path, **QUICK)
    assert path.read_bytes() == DATA
    assert server.requests[-1] == ("/f", "bytes=50000-")


def test_a_partial_file_of_a_changed_file_is_not_continued(server, tmp_path):
    path, old = tmp_path / "f.bin", bytes(len(DATA))
    server.routes["/f"] = cut_off(old, 50_000, etag='"old"')
    with pytest.raises(UserError):
        download(server.url("/f"), path, **QUICK)
    server.routes["/f"] = serve(DATA, etag='"new"')
    download(server.url("/f"), path, **QUICK)
    assert path.read_bytes() == DATA
    assert server.requests[-1] == ("/f", None)
    assert left_behind(path) == ["f.bin.sha256"]


def test_pieces_that_do_not_fit_are_thrown_away(server, tmp_path):
    # No version is told, so only the checksum can show that the file was changed meanwhile.
    path, old = tmp_path / "f.bin", bytes(len(DATA))
    server.routes["/f"] = in_turn(cut_off(old, 50_000), serve(DATA))
    download(server.url("/f"), path, sha256=SHA256, **QUICK)
    assert path.read_bytes() == DATA
    assert ("/f", "bytes=50000-") in server.requests


def test_without_version_and_checksum_nothing_is_resumed(server, tmp_path):
    path, old = tmp_path / "f.bin", bytes(len(DATA))
    server.routes["/f"] = in_turn(cut_off(old, 50_000), serve(DATA))
    download(server.url("/f"), path, **QUICK)
    assert path.read_bytes() == DATA


def test_a_server_that_ignores_ranges(server, tmp_path):
    server.routes["/f"] = in_turn(
        cut_off(DATA, 50_000, etag='"1"'), serve(DATA, etag='"1"', ranges=False)
    )
    download(server.url("/f"), tmp_path / "f", **QUICK)
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_server_that_cuts_off_again_and_again_is_asked_for_the_rest(server, tmp_path):
    data = os.urandom(7 << 20)

    def respond(request):
        # At most 1.5 MiB an answer: more of them than `tries`.
        start = int((request.headers.get("Range") or "bytes=0-")[6:-1])
        headers = {"Content_Length": len(data) - start, "ETag": '"1"'}
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        request.head(206 if start else 200, **headers)
        request.wfile.write(data[start : start + 3 * (1 << 19)])

    server.routes["/f"] = respond
    download(server.url("/f"), tmp_path / "f", **QUICK | {"tries": 1})
    assert (tmp_path / "f").read_bytes() == data


def test_a_large_partial_file_and_a_dead_server_end_in_an_error(server, tmp_path):
    path, data = tmp_path / "f", bytes(3 << 20)
    server.routes["/f"] = in_turn(cut_off(data, 2 << 20, etag='"1"'), answer(500))
    for _ in range(2):
        with pytest.raises(UserError, match="500"):
            download(server.url("/f"), path, **QUICK)


def test_a_stall_is_given_up_and_resumed(server, tmp_path):
    server.routes["/f"] = in_turn(
        cut_off(DATA, 50_000, etag='"1"', stall=3), serve(DATA, etag='"1"')
    )
    download(server.url("/f"), tmp_path / "f", sha256=SHA256, **QUICK)
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_server_that_only_stalls(server, tmp_path):
    server.routes["/f"] = cut_off(DATA, 10, stall=3)
    with pytest.raises(UserError, match="timed out"):
        download(server.url("/f"), tmp_path / "f", **QUICK | {"tries": 2})


@pytest.mark.parametrize("lie", [-100, 100])
def test_a_server_that_lies_about_the_length(server, tmp_path, lie):
    def respond(request):
        request.head(200, Content_Length=len(DATA) + lie)
        request.wfile.write(DATA)

    server.routes["/f"] = respond
    with pytest.raises(UserError, match=f"{len(DATA) + lie}|expected {len(DATA)}"):
        download(server.url("/f"), tmp_path / "f", size=len(DATA), **QUICK)
    with pytest.raises(UserError):
        download(server.url("/f"), tmp_path / "f", sha256=SHA256, **QUICK)
    assert not (tmp_path / "f").exists()


def test_an_empty_answer_is_no_file(server, tmp_path):
    server.routes["/f"] = serve(b"")
    with pytest.raises(UserError, match="empty"):
        download(server.url("/f"), tmp_path / "f", **QUICK)


def test_redirects_are_followed_but_not_for_ever(server, tmp_path):
    server.routes |= {
        "/old": redirect("/new"),
        "/new": serve(DATA),
        "/circle": redirect("/circle"),
        "/file": redirect("file:///etc/hostname"),
    }
    download(server.url("/old"), tmp_path / "f", sha256=SHA256, **QUICK)
    for path in ("/circle", "/file"):
        with pytest.raises(UserError):
            download(server.url(path), tmp_path / "g", **QUICK)


def test_a_redirect_from_https_to_http_is_refused():
    response = requests.Response()
    response.status_code, response.url = 302, "https://safe.org/f"
    session = module._Session()
    for location, allowed in [
        ("http://safe.org/f", False),
        ("https://other.org/f", True),
        ("/g", True),
    ]:
        response.headers["Location"] = location
        if allowed:
            assert session.get_redirect_target(response) == location
        else:
            with pytest.raises(module._Refused, match="HTTPS"):
                session.get_redirect_target(response)


def test_without_a_checksum_the_first_download_is_recorded_and_held_to(server, tmp_path):
    path, record = tmp_path / "f.bin", tmp_path / "f.bin.sha256"
    server.routes["/f"] = serve(DATA)
    download(server.url("/f"), path, size=len(DATA), **QUICK)
    assert record.read_text() == f"{SHA256}  f.bin\n# from {server.url('/f')}\n"

    path.unlink()
    server.routes["/f"] = serve(DATA[::-1])
    with pytest.raises(UserError, match=r"f\.bin\.sha256") as error:
        download(server.url("/f"), path, size=len(DATA), **QUICK)
    assert SHA256 in str(error.value)
    assert not path.exists()

    record.unlink()
    download(server.url("/f"), path, size=len(DATA), **QUICK)
    assert path.read_bytes() == DATA[::-1]

    record.write_text("nothing of the kind")
    with pytest.raises(UserError, match="SHA-256"):
        download(server.url("/f"), path, **QUICK)


def test_a_file_put_there_by_hand_is_recorded(server, tmp_path):
    path = tmp_path / "f.bin"
    path.write_bytes(DATA)
    download(server.url("/never"), path, **QUICK)
    assert (tmp_path / "f.bin.sha256").read_text().startswith(SHA256)
    path.write_bytes(DATA[1:])
    with pytest.raises(UserError, match="404"):
        download(server.url("/never"), path, **QUICK)


def test_another_url_of_the_same_name_is_another_file(server, tmp_path):
    server.routes |= {"/a/f": serve(DATA), "/b/f": serve(DATA[1:])}
    path, first, second = tmp_path / "f", server.url("/a/f"), server.url("/b/f")
    download(first, path, **QUICK)
    download([second, first], path, **QUICK)  # one more source of the same file
    assert path.read_bytes() == DATA and server.count("/b/f") == 0
    download(second, path, **QUICK)
    assert path.read_bytes() == DATA[1:]
    download(second, path, **QUICK)
    assert server.count("/b/f") == 1


def test_the_old_file_stays_where_another_url_has_none(server, tmp_path):
    server.routes["/a/f"] = serve(DATA)
    path = tmp_path / "f"
    download(server.url("/a/f"), path, **QUICK)
    for _ in range(2):  # what failed fails again: the record still names the first
        with pytest.raises(UserError, match="/b/f"):
            download(server.url("/b/f"), path, **QUICK)
    assert path.read_bytes() == DATA


def test_sha256sum_understands_the_record(server, tmp_path):
    server.routes["/f"] = serve(DATA)
    download(server.url("/f"), tmp_path / "f.bin", **QUICK)
    subprocess.run(["sha256sum", "-c", "f.bin.sha256"], cwd=tmp_path, check=True)


def test_content_counts_where_copies_are_zipped_anew(server, tmp_path):
    check = {"content_md5": hashlib.md5(DATA).hexdigest()}
    for level in (1, 9):
        server.routes["/f"] = serve(gzip.compress(DATA, level))
        path = tmp_path / f"{level}.gz"
        download(server.url("/f"), path, **check, **QUICK)
        assert gzip.decompress(path.read_bytes()) == DATA
    server.routes["/f"] = serve(gzip.compress(DATA)[:-20])
    with pytest.raises(UserError, match="gzip"):
        download(server.url("/f"), tmp_path / "cut.gz", **check, **QUICK)
    server.routes["/f"] = serve(gzip.compress(DATA[1:]))
    with pytest.raises(UserError, match="unzips to md5"):
        download(server.url("/f"), tmp_path / "other.gz", **check, **QUICK)


def test_a_file_served_as_gzip_encoding_keeps_its_bytes(server, tmp_path):
    zipped = gzip.compress(DATA)

    def respond(request):
        request.head(200, Content_Length=len(zipped), Content_Encoding="gzip")
        request.wfile.write(zipped)

    server.routes["/f.gz"] = respond
    download(server.url("/f.gz"), tmp_path / "f.gz", **QUICK)
    assert (tmp_path / "f.gz").read_bytes() == zipped


def test_the_mirror_is_looked_in_first(server, tmp_path, monkeypatch):
    server.routes["/a/f g.bin"] = serve(DATA)
    urls = [server.url("/a/f%20g.bin"), "https://user:word@example.org/~x/f.bin?v=2"]
    path, mirror = tmp_path / "got" / "f.bin", tmp_path / "mirror"
    place = mirror / "example.org" / "~x" / "f.bin?v=2"
    place.parent.mkdir(parents=True)
    place.write_bytes(DATA)
    download(urls, path, sha256=SHA256, mirror=mirror, **QUICK)
    assert path.read_bytes() == DATA
    assert server.requests == []

    path.unlink()
    monkeypatch.setenv("DEPTHGAUGE_MIRROR", str(mirror))
    download(urls, path, sha256=SHA256, **QUICK)
    assert path.read_bytes() == DATA
    assert server.requests == []

    # As wget lays it out, port and all, with the blank as a blank.
    place.unlink()
    path.unlink()
    place = mirror / urls[0].removeprefix("http://").replace("%20", " ")
    place.parent.mkdir(parents=True)
    place.write_bytes(DATA)
    download(urls, path, sha256=SHA256, **QUICK)
    assert server.requests == []


def test_a_wrong_file_in_the_mirror_is_named_and_passed_over(server, tmp_path):
    mirror = tmp_path / "mirror"
    place = mirror / server.url("/f").removeprefix("http://")
    place.parent.mkdir(parents=True)
    place.write_bytes(DATA[:100])
    with pytest.raises(UserError) as error:
        download(server.url("/f"), tmp_path / "f", sha256=SHA256, mirror=mirror, **QUICK)
    assert f"{place}: has sha256" in str(error.value)
    server.routes["/f"] = serve(DATA)
    download(server.url("/f"), tmp_path / "f", sha256=SHA256, mirror=mirror, **QUICK)
    assert (tmp_path / "f").read_bytes() == DATA


def test_no_way_out_of_the_mirror(tmp_path):
    (tmp_path / "secret").write_bytes(DATA)
    with pytest.raises(UserError, match=r"\.\."):
        download("https://x.org/../secret", tmp_path / "f", mirror=tmp_path / "m", **QUICK)


def test_a_full_disk_is_said_and_the_rest_is_kept(server, tmp_path, monkeypatch):
    server.routes["/f"] = serve(DATA)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_receive", full)
    with pytest.raises(UserError, match="no space left"):
        download(server.url("/f"), tmp_path / "f", **QUICK)


def test_odd_file_names(server, tmp_path):
    path = tmp_path / "a [b]*? 'ü\".bin"
    server.routes["/f"] = in_turn(cut_off(DATA, 50_000, etag='"1"'), serve(DATA, etag='"1"'))
    download(server.url("/f"), path, sha256=SHA256, **QUICK)
    assert path.read_bytes() == DATA
    assert left_behind(path) == []


def test_the_real_digits_come_from_the_mirror(tmp_path):
    mirror = Path(__file__).parents[2] / "shared" / "mirror"
    if not mirror.is_dir():
        pytest.skip("no ../shared/mirror with MNIST's test digits here")
    for source in sources("mnist", {"kind": "mnist", "split": "test"}):
        path = tmp_path / source.path
        got = download(source.urls, path, mirror=mirror, **source.checks, **QUICK)
        assert got.stat().st_size > 4000
