/* The files behind regions: anonymous, sealed against truncation, never with a name. */
#include "memory/state.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define WANTED_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

uint64_t shmfi_page_size(void)
{
    static uint64_t size; /* always the same value, whoever writes it */
    uint64_t known = __atomic_load_n(&size, __ATOMIC_RELAXED);
    if (!known) {
        known = (uint64_t)sysconf(_SC_PAGESIZE);
        __atomic_store_n(&size, known, __ATOMIC_RELAXED);
    }
    return known;
}

int shmfi_random_id(uint64_t *id, struct shmf_error *err)
{
    uint64_t value = 0;
    while (!value) {
        ssize_t got = shmfi_sys.getrandom(&value, sizeof value, 0);
        if (got < 0 && errno != EINTR)
            return shmfi_error_sys(err, errno, "random number");
        if (got != (ssize_t)sizeof value)
            value = 0;
    }
    *id = value;
    return 0;
}

/* Kernels before 6.3 refuse MFD_NOEXEC_SEAL; some configurations insist on it. */
int shmfi_file_anonymous(void)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = shmfi_sys.memfd_create("shmf", flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = shmfi_sys.memfd_create("shmf", flags);
    return fd;
}

/* Where memfd is denied: a file in /dev/shm that never had a name, or, where that is impossible
 * too, one whose name is gone at once. */
static int nameless_file(void)
{
    int fd = shmfi_sys.open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    uint64_t id = 0; /* which compilers do not see written */
    if (shmfi_random_id(&id, NULL))
        return -1;
    char name[32];
    snprintf(name, sizeof name, "/shmf-%016llx", (unsigned long long)id);
    fd = shmfi_sys.shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600); /* implies close-on-exec */
    if (fd >= 0)
        shmfi_sys.shm_unlink(name);
    return fd;
}

static int fail(int fd, int code)
{
    shmfi_sys.close(fd);
    return code;
}

/* Growing a file beyond RLIMIT_FSIZE raises SIGXFSZ, which kills. */
int shmfi_file_check_limit(uint64_t size, struct shmf_error *err)
{
    struct rlimit limit;
    if (shmfi_sys.getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY ||
        size <= limit.rlim_cur)
        return 0;
    return shmfi_error(err, SHMF_E_NOSPC,
                       "region of %llu bytes: RLIMIT_FSIZE allows %llu (ulimit -f)",
                       (unsigned long long)size, (unsigned long long)limit.rlim_cur);
}

int shmfi_file_create(uint64_t size, int *result, struct shmf_error *err)
{
    int rc = shmfi_file_check_limit(size, err);
    if (rc)
        return rc;
    bool sealable = true;
    int fd = shmfi_file_anonymous();
    if (fd < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS || errno == EINVAL)) {
        sealable = false;
        fd = nameless_file();
    }
    if (fd < 0)
        return shmfi_error_sys(err, errno, "memory of a region (memfd_create)");
    while (shmfi_sys.ftruncate(fd, (off_t)size)) {
        if (errno != EINTR)
            return fail(fd, shmfi_error_sys(err, errno, "region of %llu bytes (ftruncate)",
                                            (unsigned long long)size));
    }
    if (sealable && shmfi_sys.fcntl(fd, F_ADD_SEALS, WANTED_SEALS))
        return fail(fd, shmfi_error_sys(err, errno, "sealing a region"));
    *result = fd;
    return 0;
}

/* A memfd must be sealed, or its owner could truncate it under our feet (SIGBUS). Files of tmpfs
 * cannot be sealed (F_SEAL_SEAL is set from the start): there the owner's word has to do. `size` is
 * that of the mapping; what others made may end anywhere in its last page. */
int shmfi_file_check(int fd, uint64_t size, struct stat *status, struct shmf_error *err)
{
    if (shmfi_sys.fstat(fd, status))
        return shmfi_error_sys(err, errno, "descriptor of a region");
    uint64_t rounded;
    if (!S_ISREG(status->st_mode) ||
        !shmfi_round_up((uint64_t)status->st_size, shmfi_page_size(), &rounded) || rounded != size)
        return shmfi_error(err, SHMF_E_CORRUPT,
                           "descriptor of a region: %lld bytes, but %llu were announced",
                           (long long)status->st_size, (unsigned long long)size);
    int seals = shmfi_sys.fcntl(fd, F_GET_SEALS, 0);
    bool unsealable = seals < 0 || seals == F_SEAL_SEAL;
    if (!unsealable && (seals & WANTED_SEALS) != WANTED_SEALS)
        return shmfi_error(err, SHMF_E_UNSEALED,
                           "descriptor of a region is not sealed against truncation");
    return 0;
}

int shmfi_file_reopen(int fd)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return shmfi_sys.open(path, O_RDONLY | O_CLOEXEC, 0);
}
