/* The way back of segments (lib/board, lib/pool/desk.c, lib/pool/worker_memory.c), for spin: a ring that
 * the application writes and one worker reads, too small for all that comes back; a worker that
 * sleeps until something does; deaths at any step, and a successor that reads on in the same ring.
 *
 * Checked: an entry is read whole, and once; none is overwritten before it was read; a worker takes
 * nothing back that the application holds still, or that its predecessor had lent; nobody waits for
 * ever (there are no timeouts here), and nobody is busy for ever without getting anywhere
 * (non-progress cycles; the progress labels are where a segment changes hands).
 *
 * Memory as in board.pml: `returned` and `wanted` go through store buffers, which memory() empties
 * at any time. Steps are named in capitals, as in the code's comments. */

#ifndef ROUNDS
#define ROUNDS 7 /* loans, by all incarnations together */
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef SEGMENTS
#define SEGMENTS 3 /* of each incarnation */
#endif
#define RING     2
#define ALL      (SEGMENTS * (DEATHS + 1)) /* of all incarnations */
#define NONE     255

mtype = {IDLE, LENT, ON_ITS_WAY};

mtype state[ALL] = IDLE; /* a segment belongs to incarnation number / SEGMENTS */
byte ring[RING] = NONE;
bool unread[RING]; /* ghost: published, and not read */
byte returned, returned_buffer;
bool returned_pending;
byte taken; /* the worker's word: release, after it has read */
bool wanted, wanted_buffer, wanted_pending, woken;

byte incarnation, deaths, loans, hands; /* `hands`: how many the application holds */
bool killed, over;

#define OWN(s) ((s) / SEGMENTS == incarnation)
#define some_lent() (hands > 0)

proctype memory()
{
end:
    do
    :: returned_pending -> atomic { returned = returned_buffer; returned_pending = false }
    :: wanted_pending -> atomic { wanted = wanted_buffer; wanted_pending = false }
    od
}

/* ---- the application ---------------------------------------------------------------------- */

active proctype application()
{
    byte mine, s, seen; /* `mine`: entries written so far; only we write that */
    run memory();
    do
    :: !over && some_lent() ->
       atomic {
            s = 0;
            do
            :: s < ALL && state[s] != LENT -> s++
            :: else -> break
            od
       };
       if /* DROP: once it has heard of the death it sends nothing to a region of the dead */
       :: atomic { !OWN(s) -> state[s] = IDLE; hands--; goto kept }
       :: true
       fi;
       /* GIVE: is there room? Acquire: the worker has read what is overwritten now. */
       seen = taken;
#ifndef MISTAKE_NO_LOOK_AT_TAKEN
       if
       :: mine - seen >= RING -> goto kept /* kept, and tried again */
       :: else
       fi;
#endif
       assert(!unread[mine % RING]);
#ifdef MISTAKE_RETURN_BEFORE_ENTRY
       returned_buffer = mine + 1;
       returned_pending = true;
       ring[mine % RING] = s;
       state[s] = ON_ITS_WAY;
       hands--;
#else
       atomic { ring[mine % RING] = s; state[s] = ON_ITS_WAY; hands-- };
       atomic { unread[mine % RING] = true; returned_buffer = mine + 1; returned_pending = true };
#endif
       mine++;
progress_given:
       /* WAKE: what was stored, fence, is it wanted? */
#ifndef MISTAKE_NO_FENCE_IN_GIVE
       !returned_pending;
#endif
       if
       :: wanted -> woken = true
       :: else
       fi;
kept:
       skip
    :: over -> break
    od
}

/* ---- the worker ---------------------------------------------------------------------------- */

proctype worker()
{
    byte read, s;
    {
        /* JOIN: what was meant for the predecessor is skipped. */
        atomic {
            read = returned;
            taken = returned;
            unread[0] = unread[0] && returned_pending && (returned_buffer - 1) % RING == 0;
            unread[1] = unread[1] && returned_pending && (returned_buffer - 1) % RING == 1
        };
        do
        :: atomic { loans < ROUNDS ->
                s = incarnation * SEGMENTS;
                do
                :: s < (incarnation + 1) * SEGMENTS && state[s] != IDLE -> s++
                :: else -> break
                od;
                if
                :: s < (incarnation + 1) * SEGMENTS -> state[s] = LENT; hands++; loans++; goto lent
                :: else
                fi
           };
           /* WANT: store, fence, look at what came back; then sleep. */
           wanted_buffer = true;
           wanted_pending = true;
#ifndef MISTAKE_NO_FENCE_IN_WANT
           !wanted_pending;
#endif
           if
           :: returned != read
           :: else -> woken; woken = false
           fi;
           wanted_buffer = false;
           wanted_pending = true;
           !wanted_pending;
           /* TAKE: all that is there. */
           do
           :: returned != read ->
#ifdef MISTAKE_TAKEN_BEFORE_READ
                taken = read + 1;
#endif
                atomic {
                    s = ring[read % RING];
                    assert(unread[read % RING]);
                    unread[read % RING] = false;
                    assert(s != NONE);
#ifdef MISTAKE_BELIEVES_THE_DEAD
                    assert(OWN(s));
#endif
                    if
                    :: OWN(s) -> assert(state[s] == ON_ITS_WAY); state[s] = IDLE
#ifdef MISTAKE_STOPS_AT_THE_DEAD
                    :: else -> unread[read % RING] = true; goto lent
#else
                    :: else /* a region that nobody here knows: passed over */
#endif
                    fi
                };
progress_taken:
                read++;
                taken = read
           :: else -> break
           od
        :: loans == ROUNDS -> break
lent:      skip
        od;
        over = true
    } unless { killed };
    if
    :: over
    :: else ->
        /* Its store buffers are emptied by the kernel; the successor begins anew. */
        atomic { !wanted_pending && !returned_pending -> skip };
        atomic { killed = false; wanted = false; woken = false; incarnation++; run worker() }
    fi
}

active proctype killer()
{
end:
    do
    :: atomic { deaths < DEATHS && !over && !killed -> killed = true; deaths++ }
    :: over -> break
    od
}

init
{
    run worker()
}
