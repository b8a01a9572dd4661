"""Resets a USB device by libusb, so that one whose firmware hangs can be opened again without a hand."""

from __future__ import annotations

import logging

import usb1

_log = logging.getLogger(__name__)


def reset(bus: int, address: int) -> bool:
    """Port-reset the device (USB 2.0, section 7.1.7.5). False if it is not there or may not be opened.

    It may come back under another address, so it has to be found again afterwards.
    """
    try:
        with usb1.USBContext() as context:
            for device in context.getDeviceIterator(skip_on_error=True):
                if (device.getBusNumber(), device.getDeviceAddress()) == (bus, address):
                    with device.open() as handle:
                        handle.resetDevice()
                    return True
    except usb1.USBErrorNotFound:
        # libusb_reset_device: the device came back as a new one.
        return True
    except (OSError, usb1.USBError) as error:
        _log.warning("usb:%03d:%03d cannot be reset: %s", bus, address, error)
    return False
