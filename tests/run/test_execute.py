"""Kernels as processes: what is asked of them while they end."""

import os

import psutil

from attrition.run import execute


def test_a_kernel_that_ends_between_two_questions_has_ended(monkeypatch):
    def gone(self):
        raise psutil.NoSuchProcess(self.pid)

    kernel = execute.Forked(os.getpid())
    assert kernel.poll() is None
    monkeypatch.setattr(psutil.Process, "status", gone)
    assert kernel.poll() == 0
