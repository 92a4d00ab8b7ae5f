#!/usr/bin/env python3
"""What claimctl adds to Terraform: the plan of an unchanged stack, beside plain terraform and, where it is installed,
Terragrunt; and what it takes to know a queue by its logical name.

    cargo build --profile dist && cargo test --test it terraform::provider && python3 benches/deploy.py [--runs 15]

The tests prepare what stands for the AWS provider (tests/terraform-provider); the state is in a sandbox's S3. init is
done before anything is timed. BENCH_TERRAGRUNT names the program where it is not on the PATH.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

from pairs import ROOT, claimctl, environment, row

ACCOUNT, REGION, STACK = "111111111111", "us-west-1", "claim-check"
STATE = f"claim-check-tfstate-{ACCOUNT}-{REGION}"
PREPARED = ROOT / "target" / "tmp" / "terraform"
TERRAGRUNT = os.environ.get("BENCH_TERRAGRUNT", "terragrunt")
TOML = f'[project]\nname = "claim-check"\n[environments.dev]\nregion = "{REGION}"\naccount = "{ACCOUNT}"\n'


class Site:
    """A project with one stack, deployed."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.env = environment(CLAIMCTL_HOME=str(self.folder / "home"), HOME=str(self.folder), CHECKPOINT_DISABLE="1")

    def claimctl(self, line):
        done = subprocess.run([claimctl(), *line.split()], cwd=self.folder, env=self.env, stdout=subprocess.PIPE)
        if done.returncode:
            sys.exit(f"claimctl {line} ended with {done.returncode}: {done.stdout.decode()}")
        return done.stdout

    def start(self):
        with zipfile.ZipFile(self.folder / "handler.zip", "w") as handler:
            about = zipfile.ZipInfo("bootstrap")
            about.external_attr = 0o755 << 16
            handler.writestr(about, "#!/bin/sh\n")
        self.claimctl(f"local up --artifact {self.folder}/handler.zip --quiet")
        self.endpoint = json.loads(self.claimctl("local status -o json"))["endpoint"]
        self.env |= {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "local",
            "TF_CLI_CONFIG_FILE": str(PREPARED / "terraform.rc"), "TF_DISABLE_PLUGIN_TLS": "1",
            "TEST_PROVIDER_SCHEMA": str(PREPARED / "schema.json"), "TEST_PROVIDER_WORLD": str(self.folder / "cloud")}
        return self

    def stop(self):
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            self.env.pop(name, None)
        self.claimctl("local down --yes --quiet")

    def call(self, method, path, body, service, **headers):
        # The sandbox reads the account and the region from the signature's scope, and does not check the signature.
        scope = f"{ACCOUNT}/20260101/{REGION}/{service}/aws4_request"
        headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        request = urllib.request.Request(self.endpoint + path, body, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def deploy(self):
        (self.folder / "cloud").mkdir()
        (self.folder / "claimctl.toml").write_text(TOML)
        for part in ("modules", "environments", f"stacks/{STACK}"):
            shutil.copytree(ROOT / "terraform" / part, self.folder / "terraform" / part,
                            ignore=shutil.ignore_patterns(".terraform*"))
        self.claimctl("bootstrap --env dev --yes --quiet")
        self.claimctl(f"deploy {STACK} --env dev --yes --quiet --artifact handler.zip")
        # The test provider keeps the surface and the queue in a cloud of its own: here they come to where AWS has them.
        outputs = json.loads(self.claimctl(f"output {STACK} claimctl --env dev -o json"))
        surface = outputs["outputs"][0]["value"]
        target = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.CreateQueue"}
        for queue in surface["queues"].values():
            body = json.dumps({"QueueName": queue["arn"].split(":")[-1]}).encode()
            queue["url"] = json.loads(self.call("POST", "/", body, "sqs", **target))["QueueUrl"]
        self.call("PUT", f"/{STATE}/surface/dev/{STACK}.json", json.dumps(surface).encode(), "s3")
        self.queue = surface["queues"]["claims"]["url"]
        self.digest = surface["functions"]["claim-recorder"]["artifact"]

    def backend(self):
        return [f"-backend-config={self.folder}/terraform/backends/dev.s3.tfbackend",
                f"-backend-config=key={STACK}.tfstate", "-backend-config=use_path_style=true"]

    def terraform(self):
        """The plan as an operator types it, in a data folder of its own."""
        env = self.by_hand("plain")
        root = self.folder / "terraform/stacks" / STACK
        quiet = {"cwd": root, "env": env, "check": True, "stdout": subprocess.DEVNULL}
        subprocess.run(["terraform", "init", "-input=false", "-reconfigure", *self.backend()], **quiet)
        subprocess.run(["terraform", "workspace", "select", "dev"], **quiet)
        return ["terraform", "plan", "-input=false", f"-out={self.folder}/plain/plan", *self.variables()], root, env

    def by_hand(self, name):
        folder = self.folder / name
        folder.mkdir()
        endpoints = {f"AWS_ENDPOINT_URL_{service}": self.endpoint for service in ("S3", "STS", "IAM", "DYNAMODB")}
        return {**self.env, **endpoints, "AWS_REGION": REGION, "TF_DATA_DIR": str(folder / "data"), "TF_INPUT": "0",
                "TF_IN_AUTOMATION": "1"}

    def variables(self):
        typed = {"state_bucket": STATE, "artifact": self.digest}
        return [f"-var-file={self.folder}/terraform/environments/dev.tfvars",
                *(f"-var={name}={value}" for name, value in typed.items())]

    def terragrunt(self):
        """The same stack with its backend and its variables from a terragrunt.hcl; none where it is not installed."""
        if not shutil.which(TERRAGRUNT):
            return None
        env = self.by_hand("terragrunt")
        env.pop("TF_DATA_DIR")
        root = self.folder / "terragrunt"
        arguments = ", ".join(json.dumps(argument) for argument in [*self.backend(), "-reconfigure"])
        variables = ", ".join(json.dumps(argument) for argument in self.variables())
        (root / "terragrunt.hcl").write_text(f'''
terraform {{
  source = "{self.folder}/terraform//stacks/{STACK}"
  extra_arguments "backend" {{
    commands  = ["init"]
    arguments = [{arguments}]
  }}
  extra_arguments "variables" {{
    commands  = ["plan"]
    arguments = [{variables}]
  }}
}}
''')
        quiet = {"cwd": root, "env": env, "check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([TERRAGRUNT, "init"], **quiet)
        subprocess.run([TERRAGRUNT, "workspace", "select", "dev"], **quiet)
        return [TERRAGRUNT, "plan", "-input=false", f"-out={root}/plan"], root, env


def timed(command, cwd, env):
    """Milliseconds of one run that has to succeed."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr.decode()}")
    return (time.perf_counter() - began) * 1000


def beside(names, commands, runs):
    """Runs all in turn after one warm-up each; the first is compared with the second, which is plain."""
    for command in commands:
        timed(*command)
    rounds = [[timed(*command) for command in commands] for _ in range(runs)]
    for index, name in enumerate(names):
        times = sorted(each[index] for each in rounds)
        more = statistics.median(each[index] - each[1] for each in rounds)
        row(name, f"{statistics.median(times):.0f} ms", f"{times[0]:.0f} to {times[-1]:.0f}",
            "" if index == 1 else f"{more:+.0f} ms")


def started(site, line):
    """Which runs of Terraform a run of claimctl starts; none where strace is missing."""
    if not shutil.which("strace"):
        return None
    trace = site.folder / "trace"
    subprocess.run(["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace, claimctl(), *line.split()],
                   cwd=site.folder, env=site.env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    calls = re.findall(r'execve\("([^"]+)", \["[^"]*"(?:, "([^"]*)")?.* = 0$', trace.read_text(), re.MULTILINE)
    return [f"{Path(program).name} {first}" for program, first in calls if Path(program).name == "terraform"]


def requests(command, cwd, env):
    """How many requests a run of claimctl sends, as its log of every call has them."""
    done = subprocess.run([*command, "-vv"], cwd=cwd, env=env, check=True, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    number = done.stderr.count("entering 'transmit' phase")
    if number == 0:
        sys.exit("no request was counted: the SDK's log has other words for one now")
    return str(number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    if not (PREPARED / "terraform.rc").exists():
        sys.exit("prepare the provider first: cargo test --test it terraform::provider")
    with tempfile.TemporaryDirectory() as folder:
        site = Site(folder).start()
        try:
            site.deploy()
            measure(site, runs)
        finally:
            site.stop()


def measure(site, runs):
    ours = f"plan {STACK} --env dev --artifact {site.digest}"
    names = ["plan of an unchanged stack: claimctl", "  beside: terraform plan"]
    commands = [([claimctl(), *ours.split()], site.folder, site.env), site.terraform()]
    terragrunt = site.terragrunt()
    if terragrunt:
        names.append("  beside: terragrunt plan")
        commands.append(terragrunt)
    row("COMMAND", "MEDIAN", "RANGE", "MORE")
    beside(names, commands, runs)
    if not terragrunt:
        row("  beside: terragrunt plan", "not installed")
    programs = started(site, ours)
    if programs is not None:
        row("  what claimctl starts", ", ".join(programs))
    by_name = [claimctl(), "queue", "stats", "claims", "--env", "dev"]
    by_url = [claimctl(), "queue", "stats", site.queue, "--region", REGION]
    names = ["a queue by its logical name: queue stats claims", "  beside: by its URL, without an environment"]
    commands = [(command, site.folder, site.env) for command in (by_name, by_url)]
    beside(names, commands, runs)
    row("  requests, by name and by URL", ", ".join(requests(*command) for command in commands))


if __name__ == "__main__":
    main()
