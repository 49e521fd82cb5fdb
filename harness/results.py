# SPDX-License-Identifier: GPL-2.0-only
"""Collect passed, failed and skipped cases with the logs that have the details, and print a report."""
from dataclasses import dataclass, field

from .shell import say


@dataclass
class Results:
    passed: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    logs: list = field(default_factory=list)        # paths of the logs to read if a case failed

    def check(self, name, holds, details=()):
        """Add a case, which passes if `holds` is true. The details are lines that explain a failure."""
        if holds:
            self.passed.append(name)
        else:
            self.fail(name, details)

    def fail(self, name, details=()):
        self.failed.append(name + "".join(f"\n    {line}" for line in details))

    def add(self, other, prefix=""):
        for mine, theirs in ((self.passed, other.passed), (self.failed, other.failed),
                             (self.skipped, other.skipped)):
            mine.extend(prefix + name for name in theirs)
        self.logs.extend(log for log in other.logs if log not in self.logs)

    def add_findings(self, findings):
        """Add a failed case for each finding in a kernel log (see cleanlog.py)."""
        for finding in findings:
            self.fail(f"kernel log: {finding}", finding.after)

    def none(self):
        """Return whether there are neither passed nor failed cases."""
        return not self.passed and not self.failed

    def wrong(self):
        """Return whether the run failed: some case failed, or none passed."""
        return bool(self.failed) or not self.passed

    def counts(self):
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"{len(self.passed)} passed, {len(self.failed)} failed{skipped}"


def report(results, prefix="", every=False):
    """Print the failed cases, with `every` also the passed ones, and the counts; return whether the run failed."""
    for case in results.passed if every else []:
        say(f"passed: {prefix}{case}")
    for case in results.failed:
        say(f"failed: {prefix}{case}")
    if results.none():
        say(f"failed: {prefix}no test ran")
    if results.wrong():
        for log in results.logs:
            say(f"see {log}")
    say(f"{prefix}{results.counts()}")
    return results.wrong()
