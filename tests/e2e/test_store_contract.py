"""The contract suite of lake/store.h over S3: the same tests that the directory passes, and those only a bucket needs."""
import subprocess

from harness.runner import ROOT


def test_a_bucket_keeps_the_contract_of_a_store(aws, program):
    bucket = aws.bucket()
    result = subprocess.run([str(ROOT / "build" / "dev" / "unit" / "test_store")], timeout=120, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env={**program.environment(aws.env), "LP_TEST_S3": f"s3://{bucket}"})
    assert result.returncode == 0, result.stdout[-3000:]
    assert "(S3)" in result.stdout
    assert aws.unfinished(bucket) == []
    assert not [key for key in aws.keys_of(bucket) if key.endswith(".lock")]
