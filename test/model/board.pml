/* The protocol of the board (lib/board) and of the pool that uses it (lib/pool), for spin: window 2,
 * one or two workers, deaths at any step, tasks that start again, tasks that are revoked or struck.
 *
 * Checked: every task has exactly one outcome; a result is that of its task; no task starts more
 * often than allowed; a successor's records never surprise; a task that was struck was not
 * delivered; and nothing waits for ever. There are no timeouts here (the code has them, as a net),
 * so a lost wake-up is a deadlock. Nor is anybody busy for ever: without any assumption of fairness, and
 * with no step that counts as progress by itself, there is no cycle, so whatever happens ends.
 *
 * Memory: `done`, `tail` and the flags of sleepers go through store buffers, which memory() empties
 * at any time; a fence waits until one's own is empty. That is what Dekker's pattern needs to
 * fail without fences. What a release store must not overtake is written before it; a mistake of
 * that kind is a seeded one. The kernel empties the buffers of a process that dies.
 *
 * Workers are woken only where fewer are awake than there are tasks in flight. That no task waits for
 * the end of another one while a worker sleeps is looked for with tasks that wait for each other.
 *
 * Not modelled: that a short record lies beside `done` as well as in the ring. Who reads it there
 * looks at its number before and after, and reads the ring's where they differ; so it is the ring's
 * record that is read here.
 *
 * Steps are named in capitals; the comments of lib/board and lib/pool use these names. What the
 * macro MISTAKE_... seeds, check.py expects spin to find. */

#ifndef TASKS
#define TASKS 3
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef STRIKES
#define STRIKES 1
#endif
#ifndef REVOKES
#define REVOKES 1
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef TOGETHER
#define TOGETHER 0 /* tasks wait for each other: all must run at once */
#endif
#ifndef SUCCESSORS
#define SUCCESSORS 1 /* 0: who dies is not replaced */
#endif
#ifndef BATCHES
#define BATCHES 1 /* results may be announced together */
#endif
#define SLOTS    2
#define ORDER    8 /* more than entries are ever appended: giving way is unit.board's matter */
#define ATTEMPTS 2
#define NONE     255
#define TICKET(s, g) ((s) * 16 + (g))

mtype = {FREE, QUEUED, CLAIMED, REVOKED}; /* a slot's phase */
mtype = {EXITED, SPAWNING};               /* the supervisor's messages */
mtype = {RIGHT, DIED, CANCELLED, RESTART};

/* ---- the board ---------------------------------------------------------------------------- */

/* One word: {phase, incarnation, generation}. */
mtype phase[SLOTS] = FREE;
byte owner[SLOTS];
byte generation[SLOTS];
byte payload[SLOTS];

byte order[ORDER]; /* tickets */
byte tail, tail_buffer;
bool tail_pending;
byte hint;

byte done[WORKERS], done_buffer[WORKERS];
bool done_pending[WORKERS];
byte current[WORKERS] = NONE;
/* [worker * SLOTS + n % SLOTS] */
byte record_ticket[WORKERS * SLOTS], record_incarnation[WORKERS * SLOTS];
byte record_task[WORKERS * SLOTS];

bool asleep[WORKERS], asleep_pending[WORKERS];
bool in_futex[WORKERS];
bool away[WORKERS] = true;
bool app_asleep, app_asleep_pending;
bool rung; /* the eventfd */
bool stopping;

/* ---- beside it ---------------------------------------------------------------------------- */

bool killed[WORKERS], dead[WORKERS], born[WORKERS];
byte incarnation[WORKERS];
chan control = [2 * (DEATHS + STRIKES) + 1] of {mtype, byte, byte, byte}; /* worker, incarnation, ticket that was struck */

byte starts[TASKS];  /* by workers */
mtype outcome[TASKS]; /* 0: none yet */
byte delivered;

active proctype memory()
{
end:
    do
    :: d_step { tail_pending -> tail = tail_buffer; tail_pending = false }
    :: d_step { app_asleep_pending -> app_asleep = true; app_asleep_pending = false }
    :: d_step { done_pending[0] -> done[0] = done_buffer[0]; done_pending[0] = false }
#if WORKERS > 1
    :: d_step { done_pending[1] -> done[1] = done_buffer[1]; done_pending[1] = false }
#endif
    :: d_step { asleep_pending[0] -> asleep[0] = true; asleep_pending[0] = false }
#if WORKERS > 1
    :: d_step { asleep_pending[1] -> asleep[1] = true; asleep_pending[1] = false }
#endif
    od
}

/* ---- a worker ----------------------------------------------------------------------------- */

/* A flag that comes down late only makes somebody wake who is awake: no buffer needed. */
inline store_asleep(w, value)
{
    atomic {
        asleep_pending[w] = value;
        if
        :: !value -> asleep[w] = false
        :: else
        fi
    }
}

inline worker_fence(w)
{
    (!done_pending[w] && !asleep_pending[w])
}

/* RING: store `done`, fence, look whether the application sleeps. */
inline ring_app(w)
{
#ifndef MISTAKE_NO_FENCE_IN_RING
    worker_fence(w);
#endif
    if
    :: atomic { app_asleep -> app_asleep = false };
        atomic { rung = true; unrung = false } /* a death before this step loses it */
    :: atomic { !app_asleep -> unrung = false }
    fi
}

inline fill_record(w)
{
    record_ticket[w * SLOTS + mine % SLOTS] = TICKET(s, g);
    record_incarnation[w * SLOTS + mine % SLOTS] = incarnation[w];
    record_task[w * SLOTS + mine % SLOTS] = task
}

inline store_done(w)
{
    atomic { mine++; done_buffer[w] = mine; done_pending[w] = true }
}

/* CLAIM: walk order[] from the cursor (or the hint) to the tail. An entry that is below the tail
 * does not change any more, so what is seen of it does not depend on when: the tail
 * is one step, the walk up to the CAS that succeeds another. */
inline claim(w)
{
    atomic { got_one = false; t = tail }
#ifdef MISTAKE_CLAIM_WITHOUT_CAS
    at = cursor;
    do
    :: at < t && !got_one ->
        atomic { s = order[at] / 16; g = order[at] % 16; seen = phase[s] == QUEUED && generation[s] == g }
        atomic {
            if
            :: seen -> phase[s] = CLAIMED; owner[s] = incarnation[w]; got_one = true
            :: else
            fi;
            at++
        }
    :: atomic { !(at < t && !got_one) -> cursor = at; break }
    od;
#else
    atomic {
        at = cursor;
        if
        :: hint > at && hint <= t -> at = hint
        :: else
        fi;
        do
        :: at < t && !got_one ->
            s = order[at] / 16;
            g = order[at] % 16;
            if
            :: phase[s] == QUEUED && generation[s] == g ->
                phase[s] = CLAIMED; owner[s] = incarnation[w]; got_one = true
            :: else -> s = 0; g = 0;
#ifdef MISTAKE_STOPS_AT_REVOKED
                break
#endif
            fi;
            at++
        :: else -> break
        od;
        if
        :: at > cursor -> cursor = at
        :: else
        fi
    }
#endif
    if
    :: atomic { got_one -> hint = at; at = 0; t = 0 } /* every eighth time: here, always */
    :: atomic { !got_one -> at = 0; t = 0 }
    fi
}

/* CLAIM NEXT: the entry at the cursor is seen before the tail that counts it. It is passed only with
 * its task in hand: on some processors it may be seen before its slot's state, too, and nobody would
 * come back to it. */
inline claim_next(w)
{
    atomic {
        if
        :: tail_pending && cursor < tail_buffer ->
            s = order[cursor] / 16;
            g = order[cursor] % 16;
            if
            :: phase[s] == QUEUED && generation[s] == g ->
                phase[s] = CLAIMED; owner[s] = incarnation[w]; got_one = true;
                cursor++;
                hint = cursor
            :: else -> s = 0; g = 0
            fi
        :: true /* it is not seen, or not there */
        fi
    }
}

/* RUN and PUBLISH. Nobody looks at the record before `done` says so: filling it is no step of its
 * own. */
inline run_task(w)
{
    atomic {
        current[w] = TICKET(s, g);
        task = payload[s];
        starts[task]++;
        assert(starts[task] <= ATTEMPTS)
    }
#if TOGETHER
    (starts[0] && starts[TASKS - 1]);
#endif
#if defined(MISTAKE_PUBLISH_BEFORE_WRITE)
    current[w] = NONE;
    store_done(w);
    d_step { mine--; fill_record(w); mine++ }
#elif defined(MISTAKE_CURRENT_OUTLIVES_PUBLICATION)
    atomic { fill_record(w); store_done(w) }
    worker_fence(w);
    current[w] = NONE;
#else
    atomic { fill_record(w); current[w] = NONE }
    store_done(w);
#endif
    if
    :: atomic { true -> unrung = true; s = 0; g = 0; task = 0 }; ring_app(w)
    :: atomic { BATCHES -> unrung = true; s = 0; g = 0; task = 0 } /* short: announced with the
                                                                       next, or by IDLE */
    fi
}

/* PASS ON: who takes its flag down by itself, because it sees a task that counted on it, may have been
 * woken meanwhile for another one, and wakes somebody else for that. One exchange tells. */
inline pass_on(w)
{
#if WORKERS > 1 && !defined(MISTAKE_WAKE_IS_NOT_PASSED_ON)
    d_step { seen = !asleep[w] && !asleep_pending[w]; asleep[w] = false; asleep_pending[w] = false }
    d_step {
        if
        :: seen && asleep[1 - w] -> asleep[1 - w] = false; in_futex[1 - w] = false
        :: else
        fi;
        seen = false
    }
#else
    skip
#endif
}

/* PARK: store `asleep`, fence, look once more, sleep. */
inline park(w)
{
    store_asleep(w, true);
#ifndef MISTAKE_NO_FENCE_IN_PARK
    worker_fence(w);
#endif
    if
    :: tail > cursor || stopping -> pass_on(w)
    :: else ->
        (!asleep_pending[w]); /* the kernel reads what was stored */
        if
        :: atomic { asleep[w] -> in_futex[w] = true };
           atomic { !in_futex[w] -> skip }
        :: atomic { !asleep[w] -> skip }
        fi
    fi;
    store_asleep(w, false)
}

proctype worker(byte w)
{
    byte cursor, mine, at, t, s, g, task;
    bool got_one, unrung, seen;
end:
    do
    :: atomic { born[w] -> born[w] = false };
        {
            /* JOIN */
            /* That it is awake is seen late: somebody wakes one too many. No buffer needed. */
            d_step { mine = done[w]; cursor = 0; unrung = false; asleep[w] = false; away[w] = false }
            do
            :: claim(w);
                if
                :: got_one -> run_task(w)
                :: else ->
#ifndef MISTAKE_IDLE_DOES_NOT_RING
                    if
                    :: unrung -> ring_app(w)
                    :: else
                    fi;
#endif
                    if
                    :: stopping -> break
                    :: else -> claim_next(w);
                        if
                        :: got_one -> run_task(w)
                        :: else -> park(w)
                        fi
                    fi
                fi
            od
        } unless { killed[w] };
        atomic { cursor = 0; at = 0; t = 0; s = 0; g = 0; task = 0; mine = 0;
                 got_one = false; unrung = false; in_futex[w] = false;
                 dead[w] = true }
    od
}

#include "pool.pml"
