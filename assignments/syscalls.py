"""Which calls of the kernel a submission may not make: those that no notebook has use for.

They are where faults of kernels have been, or give memory that no limit of a process counts.
`libseccomp` turns the list into the program that bubblewrap loads.
"""

__all__ = ["filter_program"]

import ctypes
import errno
import functools
import os
import socket
from pathlib import Path

_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000  # with the number of the error
_GREATER, _MASKED = 6, 7  # comparisons of an argument
_NAMESPACES = 0x7E020080  # the flags of clone that make new ones
_REFUSED = """
    acct add_key bpf chroot clock_adjtime clock_settime create_module delete_module fanotify_init
    finit_module fsconfig fsmount fsopen fspick init_module io_uring_enter io_uring_register
    io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie memfd_create
    memfd_secret mount mount_setattr move_mount name_to_handle_at nfsservctl open_by_handle_at
    open_tree perf_event_open personality pidfd_getfd pivot_root process_madvise process_vm_readv
    process_vm_writev ptrace quotactl quotactl_fd reboot request_key setdomainname sethostname
    setns settimeofday shmat shmctl shmdt shmget swapoff swapon syslog umount2 unshare userfaultfd
    vmsplice
"""


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("masked", ctypes.c_uint64),
    )


@functools.cache
def filter_program() -> bytes | None:
    """Return the program that refuses them, or nothing where there is no libseccomp."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add_array.argtypes = (
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.POINTER(_Comparison),
    )
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.seccomp_release.argtypes = (ctypes.c_void_p,)
    context = library.seccomp_init(_ALLOW)

    def refuse(name: str, error: int, *comparisons: _Comparison) -> None:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number != -1:  # an older library does not know it
            array = (_Comparison * len(comparisons))(*comparisons)
            library.seccomp_rule_add_array(
                context, _REFUSE | error, number, len(comparisons), array
            )

    for name in _REFUSED.split():
        refuse(name, errno.EPERM)
    # The C library then takes clone, whose flags can be seen.
    refuse("clone3", errno.ENOSYS)
    for flag in (1 << bit for bit in range(32) if _NAMESPACES >> bit & 1):
        refuse("clone", errno.EPERM, _Comparison(0, _MASKED, flag, flag))
    # Neither netlink nor packets nor virtual machines: faults have been there too.
    refuse("socket", errno.EPERM, _Comparison(0, _GREATER, socket.AF_INET6, 0))
    with open(os.memfd_create("program"), "w+b") as file:
        failed = library.seccomp_export_bpf(context, file.fileno())
        library.seccomp_release(context)
        file.seek(0)
        return None if failed else Path(f"/proc/self/fd/{file.fileno()}").read_bytes()
