"""Each check of the doctor's on hardware: silent on what is good, with evidence and a fix on what is not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from drivers.doctor import cameras, hardware, kernel_log, usb
from drivers.doctor.chosen import Chosen
from drivers.doctor.machine import Account
from drivers.doctor.pictures import Look, judge
from drivers.doctor.report import as_json, as_text
from drivers.doctor.system_setup import BLACKLIST, POLICY, POLKIT, RULES, apply, blacklist, rules, wanted
from kiosk.errors import EnvironmentFault
from kiosk.values import CheckStatus, Finding
from tests.drivers.doctor_machine import ACR122U, ACR1252U, SCL3711, Folder, Found, stranger

GOOD, ATTENTION, BAD = CheckStatus.GOOD, CheckStatus.ATTENTION, CheckStatus.BAD


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A machine with USB and nothing on it."""
    (tmp_path / "sys/bus/usb/devices").mkdir(parents=True)
    return Folder(tmp_path)


def of(findings: list[Finding], check: str) -> Finding:
    """The one finding of a check; each that is not good says what to do and how to look again."""
    for finding in findings:
        assert finding.evidence
        assert finding.again
        assert bool(finding.fix) == (finding.status in (ATTENTION, BAD)), finding
    (found,) = [finding for finding in findings if finding.check == check]
    return found


def usb_of(folder: Folder, check: str, user: Account | None = None) -> Finding:
    return of(usb.examine(folder.machine, user or stranger()), check)


def test_a_reader_in_order(folder: Folder) -> None:
    folder.plug(ACR122U, name="ACR122U")
    folder.file(RULES, rules())
    folder.file(BLACKLIST, blacklist())
    findings = usb.examine(folder.machine, stranger())
    assert {finding.status for finding in findings} == {GOOD}
    looked_at = ("id", "kernel_driver", "access", "rule", "pcscd", "power", "firmware")
    assert {finding.check for finding in findings} == {f"usb_{one}" for one in looked_at}


def test_no_usb_and_no_reader(folder: Folder, tmp_path: Path) -> None:
    assert "0 devices" in usb_of(folder, "usb_id").evidence
    folder.plug((0x1D6B, 0x0002), interface="09")  # a hub
    folder.plug((0x046D, 0xC31C), interface="03", address=5)  # a keyboard
    assert "1 devices" in usb_of(folder, "usb_id").evidence
    bare = Folder(tmp_path / "bare")
    assert "no USB" in usb_of(bare, "usb_id").evidence


def test_a_makers_unknown_device(folder: Folder) -> None:
    folder.plug((0x072F, 0x9999), interface="ff")
    found = usb_of(folder, "usb_id")
    assert (found.status, "PC/SC" in found.fix) == (ATTENTION, True)


def pcsc_of(folder: Folder, slots: list[str] | EnvironmentFault, *paths: str) -> Finding:
    found = Found(slots=slots)
    settings = Chosen(nfc=paths or ("",))
    return of(hardware.examine(folder.machine, stranger(), settings=settings, find=found.finders), "pcsc")


NOT_RUNNING = EnvironmentFault("pcsc_not_running", "no pcscd")


def test_a_ccid_reader_is_for_pcsc(folder: Folder) -> None:
    assert pcsc_of(folder, NOT_RUNNING).status is CheckStatus.ABSENT
    assert pcsc_of(folder, []).status is CheckStatus.ABSENT
    folder.plug(ACR1252U, name="ACR1252")
    assert "PC/SC" in usb_of(folder, "usb_id").evidence
    missing = pcsc_of(folder, NOT_RUNNING)
    assert (missing.status, "apt-get install -y pcscd" in missing.fix) == (ATTENTION, True)
    folder.file("/usr/sbin/pcscd")
    stopped = pcsc_of(folder, NOT_RUNNING, "pcsc:ACS")
    assert (stopped.status, stopped.fix) == (BAD, "sudo systemctl enable --now pcscd.socket")
    assert "libccid" in pcsc_of(folder, []).fix
    assert "ACS ACR1252" in pcsc_of(folder, ["ACS ACR1252"]).evidence


def test_polkit_keeps_the_kiosks_user_away(folder: Folder) -> None:
    from smartcard import scard

    from drivers.pcsc_link import not_running

    refused = pcsc_of(folder, not_running(scard.SCARD_W_SECURITY_VIOLATION))
    assert (refused.status, "setup --system" in refused.fix) == (BAD, True)
    folder.file(POLICY)
    (rule,) = [change for change in wanted(folder.machine, "root") if change.path == POLKIT]
    assert "access_pcsc" in rule.content
    assert "access_card" in rule.content


def test_no_reader_on_usb_matters_only_where_one_is_wanted(folder: Folder) -> None:
    for settings, status in (
        (Chosen(), ATTENTION),
        (Chosen(nfc=("usb:072f:2200",)), ATTENTION),
        (Chosen(nfc_enabled=False), CheckStatus.ABSENT),
        (Chosen(nfc=("udp:127.0.0.1:5000",)), CheckStatus.ABSENT),
    ):
        found = hardware.examine(folder.machine, stranger(), settings=settings, find=Found().finders)
        assert of([one for one in found if one.check == "usb_id"], "usb_id").status is status


@pytest.mark.parametrize("driver", ["pn533_usb", "port100"])
def test_the_kernel_has_it(folder: Folder, driver: str) -> None:
    folder.plug(SCL3711, driver=driver)
    found = usb_of(folder, "usb_kernel_driver")
    assert (found.status, driver in found.evidence, f"modprobe -r {driver}" in found.fix) == (BAD, True, True)


def test_a_program_has_it_is_no_kernel_driver(folder: Folder) -> None:
    folder.plug(SCL3711, driver="usbfs")
    folder.file(BLACKLIST, blacklist())
    assert usb_of(folder, "usb_kernel_driver").status is GOOD


def test_without_a_blacklist_the_kernel_may_have_it_tomorrow(folder: Folder) -> None:
    folder.plug(SCL3711)
    folder.file("/etc/modprobe.d/other.conf", "# blacklist pn533_usb\nblacklist pcspkr\n")
    found = usb_of(folder, "usb_kernel_driver")
    assert (found.status, "blacklist pn533_usb" in found.evidence) == (ATTENTION, True)
    folder.file("/lib/modprobe.d/readers.conf", "blacklist pn533_usb\n")
    assert usb_of(folder, "usb_kernel_driver").status is GOOD


@pytest.mark.parametrize(
    ("mode", "user", "status"),
    [
        (0o660, stranger(), BAD),
        (0o664, stranger(), BAD),
        (0o666, stranger(), GOOD),
        (0o660, Account("kmc", os.geteuid() + 1, frozenset({os.getegid()})), GOOD),
        (0o640, Account("kmc", os.geteuid() + 1, frozenset({os.getegid()})), BAD),
    ],
)
def test_rights_are_those_of_the_kiosks_user(
    folder: Folder, mode: int, user: Account, status: CheckStatus
) -> None:
    folder.plug(ACR122U, mode=mode)
    found = usb_of(folder, "usb_access", user)
    assert found.status is status
    assert status is GOOD or "--user kmc" in found.fix


def test_a_node_that_is_gone(folder: Folder) -> None:
    folder.plug(ACR122U).unlink()
    assert usb_of(folder, "usb_access").status is BAD


@pytest.mark.parametrize(
    ("name", "status"),
    [("93-ours.rules", GOOD), ("99-nfc.rules", GOOD), ("60-nfc.rules", ATTENTION), ("92-x.rules", ATTENTION)],
)
def test_the_rule_comes_after_libccids(folder: Folder, name: str, status: CheckStatus) -> None:
    folder.plug(ACR122U)
    assert usb_of(folder, "usb_rule").status is ATTENTION
    folder.file(f"/etc/udev/rules.d/{name}", 'SUBSYSTEM=="usb", ATTR{idVendor}=="072F", GROUP="x"')
    assert usb_of(folder, "usb_rule").status is status


def test_a_rule_of_the_same_name_in_etc_hides_the_systems(folder: Folder) -> None:
    folder.plug(ACR122U)
    folder.file("/usr/lib/udev/rules.d/93-x.rules", 'ATTR{idVendor}=="072f"')
    assert usb_of(folder, "usb_rule").status is GOOD
    folder.file("/etc/udev/rules.d/93-x.rules", "# nothing")
    assert usb_of(folder, "usb_rule").status is ATTENTION


def test_pcscd_holds_it(folder: Folder) -> None:
    folder.plug(ACR122U)
    folder.process(77, "pcscd", "/dev/null")
    assert usb_of(folder, "usb_pcscd").status is GOOD
    folder.process(78, "pcscd", "/dev/null", "/dev/bus/usb/001/004")
    found = usb_of(folder, "usb_pcscd")
    assert (found.status, "stop pcscd" in found.fix) == (BAD, True)


def test_put_to_sleep(folder: Folder) -> None:
    folder.plug(ACR122U, power="auto")
    assert usb_of(folder, "usb_power").status is ATTENTION


def test_old_firmware(folder: Folder) -> None:
    folder.plug(ACR122U, release="0108")
    found = usb_of(folder, "usb_firmware")
    assert (found.status, "1.08" in found.evidence) == (BAD, True)


LOG = """[ 3.1] usb 1-1: new full-speed USB device number 4 using xhci_hcd
[ 9.9] Under-voltage detected! (0x00050005)
[ 10.1] usb 1-1: USB disconnect, device number 4
"""


def test_the_kernels_log(folder: Folder) -> None:
    assert of(kernel_log.examine(folder.machine), "kernel_log").status is ATTENTION
    assert folder.asked[0] == ("dmesg",)
    assert folder.asked[1][0] == "journalctl"
    folder.answers["dmesg",] = LOG
    findings = kernel_log.examine(folder.machine)
    assert (of(findings, "power_supply").status, of(findings, "usb_trouble").status) == (BAD, GOOD)
    folder.answers["dmesg",] = "usb 1-1: reset full-speed USB device number 4\n" * kernel_log.OFTEN
    findings = kernel_log.examine(folder.machine)
    assert (of(findings, "power_supply").status, of(findings, "usb_trouble").status) == (GOOD, ATTENTION)


def test_cameras(folder: Folder) -> None:
    assert of(cameras.examine(folder.machine, stranger()), "camera").status is ATTENTION
    folder.camera(mode=0o660)
    found = of(cameras.examine(folder.machine, stranger(), look=False), "camera_access")
    assert (found.status, "USB 2.0 Camera" in found.subject) == (BAD, True)
    (folder.root / "dev/video0").chmod(0o666)
    assert of(cameras.examine(folder.machine, stranger(), look=False), "camera_access").status is GOOD


def test_the_camera_that_is_set(folder: Folder, tmp_path: Path) -> None:
    folder.camera()
    folder.camera(3)
    machine = folder.machine

    def access(source: str) -> list[tuple[str, CheckStatus]]:
        found = cameras.examine(machine, stranger(), source, look=False)
        assert all(bool(one.fix) == (one.status is BAD) for one in found)
        return [(one.check, one.status) for one in found]

    assert access("3") == access("/dev/video3") == [("camera_access", GOOD)]
    assert access("9") == [("camera", BAD)]
    assert access("http://10.0.0.7/stream.mjpg")[-1] == ("camera", CheckStatus.ABSENT)
    assert cameras.examine(machine, stranger(), enabled=False)[0].status is CheckStatus.ABSENT
    missing = cameras.examine(machine, stranger(), str(tmp_path / "no.avi"))[-1]
    assert (missing.check, missing.status) == ("camera_picture", BAD)


def test_a_camera_that_does_not_open() -> None:
    (found,) = cameras.look_through("/no/such/recording.avi", "")
    assert (found.check, found.status, "camera_missing" in found.evidence) == ("camera_picture", BAD, True)


def looks(grey: list[np.ndarray], every_s: float = 0.05) -> list[Look]:
    return [Look.of(picture.astype(np.uint8), at * every_s) for at, picture in enumerate(grey)]


def test_what_pictures_say() -> None:
    noise = np.random.default_rng(7)
    sharp = [noise.integers(60, 200, (90, 160)) for _ in range(10)]
    findings = judge("camera", looks(sharp))
    assert {finding.status for finding in findings} == {GOOD}
    dark = judge("camera", looks([picture // 20 for picture in sharp]))
    assert of(dark, "camera_light").status is ATTENTION
    (black, pace) = judge("camera", looks([picture * 0 for picture in sharp]))
    assert (black.check, black.status, "shutter" in black.fix) == ("camera_light", BAD, True)
    assert pace.check == "camera_pace"
    slow = judge("camera", looks(sharp, every_s=0.3))
    assert of(slow, "camera_pace").status is ATTENTION
    flat = judge("camera", looks([np.full((90, 160), 100 + at) for at in range(5)]))
    assert of(flat, "camera_focus").status is ATTENTION
    frozen = judge("camera", looks([sharp[0]] * 5))
    assert of(frozen, "camera_alive").status is ATTENTION
    assert of(judge("camera", looks(sharp[:1])), "camera_picture").status is BAD


def test_the_system_is_set_up_once(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.file("/proc/modules", "pn533_usb 20480 0 - Live 0x0\nnfc 1 1 pn533_usb, Live 0x0\n")
    folder.file("/etc/group", "plugdev:x:46:\n")
    changes = wanted(folder.machine, "kmc")
    assert [change.path for change in changes if change.path] == [RULES, BLACKLIST]
    commands = [change.command for change in changes if change.command]
    assert ("modprobe", "-r", "pn533_usb", "nfc") in commands
    assert ("usermod", "-aG", "plugdev", "kmc") in commands
    folder.answers = dict.fromkeys(commands, "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert apply(folder.machine, changes) == [RULES, BLACKLIST, *(" ".join(one) for one in commands)]
    assert (folder.root / RULES.lstrip("/")).read_text() == rules()
    assert (folder.root / BLACKLIST.lstrip("/")).read_text() == blacklist()
    folder.file("/proc/modules", "")
    folder.file("/etc/group", "plugdev:x:46:pi,kmc\n")
    assert wanted(folder.machine, "kmc") == []


def test_without_root_the_commands_are_told(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EnvironmentFault) as caught:
        apply(folder.machine, wanted(folder.machine, "kmc"))
    told = "\n".join(caught.value.detail["commands"])
    assert caught.value.code == "root_needed"
    assert f"sudo tee {RULES}" in told
    assert "sudo usermod -aG plugdev kmc" in told
    assert not (folder.root / "etc/udev/rules.d").exists()


def test_a_command_that_fails_is_named(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(EnvironmentFault) as caught:
        apply(folder.machine, wanted(folder.machine, "kmc"))
    assert caught.value.code == "command_failed"


def test_the_report_has_the_wrong_first(folder: Folder) -> None:
    folder.plug(ACR122U, mode=0o600, power="auto")
    findings = usb.examine(folder.machine, stranger())
    answer = as_json(findings)
    assert (answer["worst"], answer["code"]) == ("bad", "trouble_found")
    assert sum(answer["counts"].values()) == len(answer["findings"]) == len(findings)
    lines = as_text(findings).splitlines()
    assert lines[0].startswith("BAD   usb_access")
    assert lines[1].strip().startswith("fix:")
    assert as_json([])["worst"] == "absent"
