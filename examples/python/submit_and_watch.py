#!/usr/bin/env python3
"""A gRPC client in Python: submits one sync to a coordinator and prints its state at every change.

    submit_and_watch.py HOST:PORT SOURCE_URI TARGET_URI

Needs requirements.txt, and on PYTHONPATH the folder that generate.py filled.
"""

import sys
import uuid

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from deepclone.v1 import clone_spec_pb2, job_pb2, job_pb2_grpc

FINAL = {job_pb2.Job.SUCCEEDED, job_pb2.Job.FAILED, job_pb2.Job.CANCELLED}


def main(coordinator: str, source: str, target: str) -> int:
    with grpc.insecure_channel(coordinator) as channel:
        try:
            job = submit_and_watch(job_pb2_grpc.JobServiceStub(channel), source, target)
        except grpc.RpcError as error:
            print(explain(error), file=sys.stderr)
            return 1
    state = job_pb2.Job.State.Name(job.state)
    if job.state == job_pb2.Job.SUCCEEDED:
        print(f"{job.name} {state}: version {job.result.source_version} of the source is "
              f"version {job.result.target_version} of the replica")
        return 0
    print(f"{job.name} {state}: {job.failure.reason}: {job.failure.message}", file=sys.stderr)
    return 1


def submit_and_watch(jobs: job_pb2_grpc.JobServiceStub, source: str, target: str) -> job_pb2.Job:
    """Returns the job in its final state."""
    # The coordinator finds the connection with the longest root above each URI.
    spec = clone_spec_pb2.CloneSpec(source=clone_spec_pb2.TableRef(uri=source),
                                    target=clone_spec_pb2.TableRef(uri=target))
    # After a lost answer the same request with the same id returns the same job.
    request = job_pb2.CreateJobRequest(job=job_pb2.Job(spec=spec), request_id=str(uuid.uuid4()))
    job = jobs.CreateJob(request)
    # The stream begins with the state now. If it breaks, open it again.
    for change in jobs.WatchJob(job_pb2.WatchJobRequest(name=job.name)):
        job = change.job
        if job.state in FINAL:
            return job
        print(f"{job.name} {job_pb2.Job.State.Name(job.state)}{progress(job)}", flush=True)
    raise SystemExit("the coordinator closed the stream before the job ended")


def progress(job: job_pb2.Job) -> str:
    now = job.progress
    if not now.objects_total:
        return ""
    return f": {now.objects_done} of {now.objects_total} objects, {now.bytes_copied} bytes"


def explain(error: grpc.RpcError) -> str:
    """Every error of the coordinator carries a reason, such as JOB_NOT_FOUND, to act upon."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status else []:
        if detail.Unpack(info) and info.domain == "deepclone":
            return f"{info.reason}: {status.message}"
    return f"{error.code().name}: {error.details()}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 4 else __doc__)
