import time
from sqlalchemy import insert
from nsml_server.storage.tables import Run, Submission, Attempt
def test_perf(mina, worker, trained, platform):
    N = 2000
    subs = [dict(session_id=1,user_id=1,dataset_id=1,dataset_version_id=1,checkpoint="1",checkpoint_manifest="x"*64,state="scored",prediction_hash="a"*64,prediction_size=3,score=0.5,created_at=1.0,ended_at=2.0,id=i,version=1) for i in range(1,N+1)]
    runs = [dict(kind=k,user_id=1,session_id=1,submission_id=i,version_id=1,state="exited",cpus=1,gpus=0,image="x",queued_at=1.0,attempt=1) for i in range(1,N+1) for k in ("predict","score")]
    from sqlalchemy import text
    with platform.database.write() as tx:
        m = tx.execute(text("select hash from manifests limit 1")).scalar()
        for s in subs: s["checkpoint_manifest"]=m
        tx.execute(insert(Submission), subs); tx.execute(insert(Run), runs)
    t=time.monotonic()
    a = mina.call("POST","/datasets/kin/rescore",json={"all":True})
    print("RESCORE", a.status_code, len(a.json()["rescorings"]), time.monotonic()-t)
