import time
def test_flush_time(database, flush, superuser_connection):
    n=[r[0] for r in superuser_connection.execute("select count(*) from pg_tables where schemaname='public'").fetchall()]
    ts=[]
    for i in range(20):
        superuser_connection.execute("insert into django_session values (%s,'',now())",(f"k{i}",))
        a=time.perf_counter(); flush(); ts.append(time.perf_counter()-a)
    ts.sort(); print("tables",n,"ref",len(flush.reference_tables),"run",len(flush.runtime_tables)); print("median ms",ts[10]*1000, "max",ts[-1]*1000)
    print(flush.reference_tables)
