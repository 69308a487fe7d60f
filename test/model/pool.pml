/* The rest of the model: supervisor and application, as lib/pool is. Included by board.pml. */

/* ---- the supervisor ----------------------------------------------------------------------- */

/* LEAVE: who is counted on and goes has another one woken in its stead. */
inline leave(w)
{
    d_step {
        dead[w] = false;
        killed[w] = false;
        away[w] = true;
        asleep[w] = false;
#if WORKERS > 1 && !defined(MISTAKE_NOBODY_INSTEAD)
        if
        :: asleep[1 - w] -> asleep[1 - w] = false; in_futex[1 - w] = false
        :: else
        fi
#endif
    }
}

inline bury_and_replace(w, why)
{
    (dead[w] && !done_pending[w] && !asleep_pending[w]); /* reaped */
    leave(w);
#ifndef MISTAKE_CURRENT_OF_THE_DEAD
    current[w] = NONE;
#endif
    control!EXITED(w, incarnation[w], why);
#if !SUCCESSORS
    skip
#elif defined(MISTAKE_ANNOUNCED_AFTER_BIRTH)
    d_step { incarnation[w] = incarnation[w] + WORKERS; born[w] = true }
    control!SPAWNING(w, incarnation[w], NONE)
#else
    control!SPAWNING(w, incarnation[w] + WORKERS, NONE);
    d_step { incarnation[w] = incarnation[w] + WORKERS; born[w] = true }
#endif
}

/* From outside, at any step. */
inline kill_one(w)
{
    atomic { deaths < DEATHS && !stopping -> deaths++; killed[w] = true };
#ifdef MISTAKE_SILENCE_IS_DEATH
    control!EXITED(w, incarnation[w], NONE);
    (dead[w] && !done_pending[w] && !asleep_pending[w]);
    d_step { dead[w] = false; killed[w] = false; current[w] = NONE; incarnation[w] = incarnation[w] + WORKERS }
    control!SPAWNING(w, incarnation[w], NONE);
    born[w] = true
#else
    bury_and_replace(w, NONE)
#endif
}

/* STRIKE: the worker is stopped (its stores are seen), still runs the task, and is killed. */
inline strike(w)
{
    atomic { strikes < STRIKES && !stopping && current[w] != NONE && !done_pending[w] ->
             strikes++; struck = current[w]; killed[w] = true };
    bury_and_replace(w, struck);
    struck = NONE
}

active proctype supervisor()
{
    byte deaths, strikes, struck = NONE;
    do
    :: kill_one(0)
    :: strike(0)
#if WORKERS > 1
    :: kill_one(1)
    :: strike(1)
#endif
    :: stopping -> break
    od
}

/* ---- the application ---------------------------------------------------------------------- */

inline app_fence()
{
    (!tail_pending && !app_asleep_pending)
}

/* Workers that will look at the board before they sleep. */
inline dont_count_awake()
{
    w = 0;
    do
    :: w < WORKERS && to_wake > 0 ->
        if
#ifdef MISTAKE_AWAY_IS_AWAKE
        :: !asleep[w] -> to_wake--
#else
        :: !asleep[w] && !away[w] -> to_wake--
#endif
        :: else
        fi;
        w++
    :: else -> break
    od;
#ifdef MISTAKE_ONE_AWAKE_WILL_DO
    if
    :: to_wake < (busy[0] + busy[SLOTS - 1] < WORKERS -> busy[0] + busy[SLOTS - 1] : WORKERS) -> to_wake = 0
    :: else
    fi;
#endif
    if
    :: to_wake > 1 -> to_wake = 1
    :: else
    fi
}

/* WAKE: after the fence, one sleeper, unless as many are awake as there are tasks in flight; or
 * (`all`) everybody. */
inline wake(all)
{
#ifndef MISTAKE_NO_FENCE_IN_WAKE
    app_fence();
#endif
    d_step {
        to_wake = WORKERS;
        if
        :: !all && busy[0] + busy[SLOTS - 1] < WORKERS -> to_wake = busy[0] + busy[SLOTS - 1]
        :: else
        fi;
        if
        :: !all -> dont_count_awake()
        :: else
        fi;
        w = 0;
        do
        :: w < WORKERS && to_wake > 0 ->
            if
            :: asleep[w] -> asleep[w] = false; in_futex[w] = false; to_wake--
            :: else
            fi;
            w++
        :: else -> break
        od;
        w = 0;
        to_wake = 0
    }
}

/* QUEUE: the slot's state (release) before the tail. */
inline append(s)
{
    order[tail_private] = TICKET(s, jobs_generation[s]);
    tail_private++;
    tail_buffer = tail_private;
    tail_pending = true
}

inline queue(s)
{
    jobs_generation[s]++;
    payload[s] = job[s];
#ifdef MISTAKE_TAIL_BEFORE_SLOT
    append(s);
    app_fence();
    (true);
    phase[s] = QUEUED; owner[s] = 0; generation[s] = jobs_generation[s];
#else
    phase[s] = QUEUED; owner[s] = 0; generation[s] = jobs_generation[s];
    append(s);
#endif
    wake(false)
}

inline settle(s, how)
{
    assert(outcome[job[s]] == 0);
    outcome[job[s]] = how;
    delivered++;
    busy[s] = false
}

/* HARVEST one record. `later`: it is of an incarnation that was not announced yet. */
inline harvest_one(v)
{
    later = record_incarnation[v * SLOTS + got[v] % SLOTS] != member[v];
    if
    :: later
    :: else ->
        r = record_ticket[v * SLOTS + got[v] % SLOTS];
        x = r / 16;
        assert(busy[x] && jobs_generation[x] == r % 16); /* else: "nonsense" */
        assert(phase[x] == CLAIMED && owner[x] == member[v] && generation[x] == r % 16);
        assert(record_task[v * SLOTS + got[v] % SLOTS] == job[x]);
        got[v]++;
        settle(x, RIGHT)
    fi;
    r = 0;
    x = 0
}

/* Was the struck task published before the strike? */
inline note_struck()
{
    assert(why == NONE || (busy[why / 16] && jobs_generation[why / 16] == why % 16));
    assert(why == NONE || done[v] == got[v] || record_ticket[v * SLOTS + got[v] % SLOTS] != why)
}

/* BURY: the LAST HARVEST, then what is left claimed. */
inline bury()
{
#ifndef MISTAKE_NO_LAST_HARVEST
    do
    :: !later && done[v] > got[v] -> harvest_one(v)
    :: else -> break
    od;
    later = false;
#endif
    note_struck();
    y = 0;
    do
    :: y < SLOTS ->
        if
        :: busy[y] && phase[y] == CLAIMED && owner[y] == i && generation[y] == jobs_generation[y] ->
            if
            :: why == TICKET(y, jobs_generation[y]) -> settle(y, CANCELLED)
            :: why != TICKET(y, jobs_generation[y]) && tries[y] < ATTEMPTS -> tries[y]++; queue(y)
            :: else -> settle(y, DIED)
            fi
        :: else
        fi;
        y++
    :: else -> break
    od;
    member[v] = 0
}

inline read_control()
{
    do
    :: nempty(control) ->
        control?message, v, i, why;
        if
        :: message == SPAWNING -> member[v] = i
        :: message == EXITED && member[v] == i -> bury()
        :: else
        fi
    :: empty(control) -> break
    od;
    v = 0; i = 0; why = 0; message = 0; y = 0
}

/* A look at `done`, and what it shows. Records below it do not change before they are harvested, so
 * looking at all workers makes one step. */
inline harvest(v0)
{
    do
    :: done[v0] > got[v0] ->
        assert(done[v0] - got[v0] <= SLOTS);
        harvest_one(v0);
        if
        :: later -> assert(!asked); asked = true; later = false; read_control() /* asked: "nonsense" */
        :: else -> asked = false
        fi
    :: else -> asked = false; break
    od
}

inline submit()
{
    y = 0;
    do
    :: y < SLOTS ->
        if
        :: !busy[y] && next < TASKS ->
            busy[y] = true; job[y] = next; tries[y] = 1; next++;
            queue(y)
        :: else
        fi;
        y++
    :: else -> break
    od;
    y = 0
}

/* REVOKE */
inline revoke(s)
{
    if
    :: busy[s] && phase[s] == QUEUED && generation[s] == jobs_generation[s] ->
        phase[s] = REVOKED; settle(s, CANCELLED)
    :: else
    fi
}

/* SLEEP: as PARK, in poll: the eventfd and the supervisor's socket wake. */
inline sleep_in_poll()
{
    app_asleep_pending = true;
#ifndef MISTAKE_NO_FENCE_IN_SLEEP
    app_fence();
#endif
    if
    :: done[0] > got[0] || done[WORKERS - 1] > got[WORKERS - 1]
    :: else ->
        (rung || nempty(control))
    fi;
    atomic { app_asleep = false; app_asleep_pending = false; rung = false }
}

active proctype application()
{
    byte next, tail_private, revokes;
    byte w, to_wake, v, i, why, r, x, y;
    bool later, asked;
    mtype message;
    bool busy[SLOTS];
    byte job[SLOTS], jobs_generation[SLOTS], tries[SLOTS], got[WORKERS], member[WORKERS];

    d_step {
        incarnation[WORKERS - 1] = 2; incarnation[0] = 1;
        member[WORKERS - 1] = 2; member[0] = 1;
        born[WORKERS - 1] = true; born[0] = true
    }
    run worker(0);
#if WORKERS > 1
    run worker(1);
#endif
    do
    :: delivered < TASKS ->
        atomic { submit() }
        atomic {
            if
            :: revokes < REVOKES -> revokes++; revoke(0)
            :: true
            fi;
            harvest(0);
#if WORKERS > 1
            harvest(1);
#endif
            read_control()
        }
        if
        :: delivered < TASKS && !(next < TASKS && (!busy[0] || !busy[1])) -> sleep_in_poll()
        :: else
        fi
    :: else -> break
    od;
    /* STOP */
    stopping = true;
    wake(true);
    assert(outcome[0] != 0 && outcome[TASKS - 1] != 0)
}
