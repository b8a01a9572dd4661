/* A disk's faults under a real process: preloaded, it stands between the process and the C library.
 *
 * Only files below KMC_DISK_ROOT are touched. What it does is told by the environment:
 *
 *   KMC_DISK_IMAGE=FOLDER     Power cuts. Keeps beside the files what would be on the disk after a cut: of a file
 *                             its content as of its last fsync or fdatasync, of a folder its names as of its last
 *                             fsync. Everything else is gone at the cut. (POSIX promises no more: fsync of a file
 *                             says nothing of its name.) The test puts the image in the files' place.
 *   KMC_DISK_KILL_AT=N        Kills the process just before its Nth operation that changes a file or a folder,
 *                             or syncs one.
 *   KMC_DISK_SYNC_FAILS=N     fsync and fdatasync answer EIO from the Nth on.
 *   KMC_DISK_ROOM=BYTES       Files may grow by so many bytes together, then ENOSPC; overwriting goes on.
 *   KMC_DISK_LOG=FILE         One line for each operation counted.
 *
 * A file is known by inode number and time of birth, since numbers are used again. An image is copied through the
 * descriptor that is synced: to open and close the file once more would drop the locks that the process holds on
 * it (fcntl(2), "record locks").
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))real(#name))

static const char *root, *image, *log_file;
static size_t root_length;
static long kill_at, sync_fails;
static atomic_long operations, syncs, room = -1;

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

static long number(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? atol(text) : otherwise;
}

__attribute__((constructor)) static void begin(void)
{
    root = getenv("KMC_DISK_ROOT");
    root_length = root ? strlen(root) : 0;
    image = getenv("KMC_DISK_IMAGE");
    log_file = getenv("KMC_DISK_LOG");
    kill_at = number("KMC_DISK_KILL_AT", 0);
    sync_fails = number("KMC_DISK_SYNC_FAILS", 0);
    room = number("KMC_DISK_ROOM", -1);
}

static int ours(const char *path)
{
    return root && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || !path[root_length]);
}

/* The path of a descriptor; false if it is none of ours. */
static int path_of(int fd, char *path)
{
    char link[64];
    if (!root)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return ours(path);
}

/* SQLite's index of its log is no more than memory that processes share: nothing of it counts after a cut. */
static int is_shared_memory(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, "-shm") == 0;
}

static void count(const char *what, const char *path)
{
    if (is_shared_memory(path))
        return;
    long n = atomic_fetch_add(&operations, 1) + 1;
    if (log_file) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", n, what, path + root_length);
        int fd = open(log_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || syscall(SYS_write, fd, line, (size_t)length) != length)
            abort();
        close(fd);
    }
    if (kill_at && n >= kill_at) {
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
}

/* ---- what would be on the disk ---- */

static void identity(int folder, const char *name, char *text, size_t size, unsigned *mode)
{
    struct statx found;
    if (statx(folder, name, *name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &found))
        abort();
    *mode = found.stx_mode;
    snprintf(text, size, "%llu.%lld.%09u", (unsigned long long)found.stx_ino,
             found.stx_mask & STATX_BTIME ? (long long)found.stx_btime.tv_sec : 0,
             found.stx_mask & STATX_BTIME ? found.stx_btime.tv_nsec : 0);
}

static void put(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t done = syscall(SYS_write, fd, data, length);
        if (done <= 0)
            abort();
        data += done;
        length -= (size_t)done;
    }
}

static void copy_content(int from, int to)
{
    static __thread char part[1 << 16];
    off_t at = 0;
    ssize_t got;
    while ((got = pread(from, part, sizeof part, at)) > 0) {
        put(to, part, (size_t)got);
        at += got;
    }
    if (got < 0)
        abort();
}

static void copy_names(const char *path, int to)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    if (!folder)
        abort();
    while ((entry = readdir(folder))) {
        char line[NAME_MAX + 160], known[96];
        unsigned mode;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        struct stat there;
        if (fstatat(dirfd(folder), entry->d_name, &there, AT_SYMLINK_NOFOLLOW))
            continue; /* gone since, by another process */
        identity(dirfd(folder), entry->d_name, known, sizeof known, &mode);
        put(to, line, (size_t)snprintf(line, sizeof line, "%s %o %s\n", known, mode, entry->d_name));
    }
    closedir(folder);
}

/* Takes the file or folder behind a descriptor into the image; one at a time, so that an older copy never
 * takes a newer one's place. */
static void take_in(int fd, const char *path)
{
    char known[96], target[PATH_MAX], beside[PATH_MAX];
    unsigned mode;
    snprintf(target, sizeof target, "%s/lock", image);
    int lock = open(target, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || flock(lock, LOCK_EX))
        abort();
    identity(fd, "", known, sizeof known, &mode);
    snprintf(target, sizeof target, "%s/%s", image, known);
    snprintf(beside, sizeof beside, "%s/beside", image);
    int to = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0)
        abort();
    if (S_ISDIR(mode)) {
        copy_names(path, to);
    } else {
        int reads = (fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY;
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        int from = reads ? fd : open(link, O_RDONLY | O_CLOEXEC);
        if (from < 0)
            abort();
        copy_content(from, to);
        if (!reads)
            close(from);
    }
    close(to);
    if (REAL(rename)(beside, target))
        abort();
    close(lock);
}

static int sync_one(int fd, const char *name)
{
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return ((int (*)(int))real(name))(fd);
    count(name, path);
    if (sync_fails && atomic_fetch_add(&syncs, 1) + 1 >= sync_fails) {
        errno = EIO;
        return -1;
    }
    if (!image)
        return ((int (*)(int))real(name))(fd);
    take_in(fd, path); /* and no waiting for the real disk, which outlives the process anyway */
    return 0;
}

int fsync(int fd) { return sync_one(fd, "fsync"); }
int fdatasync(int fd) { return sync_one(fd, "fdatasync"); }

/* ---- what changes files ---- */

/* How much of a write may be done: all, less, or none (errno is set). `at` is -1 for the descriptor's own place. */
static ssize_t allowed(int fd, size_t size, off_t at, const char *what)
{
    char path[PATH_MAX];
    struct stat now;
    if (!path_of(fd, path))
        return (ssize_t)size;
    count(what, path);
    if (room < 0 || fstat(fd, &now) || !S_ISREG(now.st_mode))
        return (ssize_t)size;
    off_t begin = at >= 0 ? at : (fcntl(fd, F_GETFL) & O_APPEND) ? now.st_size : lseek(fd, 0, SEEK_CUR);
    ssize_t may = (ssize_t)size;
    ssize_t growth = begin + may > now.st_size ? (ssize_t)(begin + may - now.st_size) : 0;
    if (growth > room) {
        may = may > growth - room ? may - (growth - room) : 0;
        growth = room;
        errno = ENOSPC;
    }
    atomic_fetch_sub(&room, growth);
    return may || !size ? may : -1;
}

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t may = allowed(fd, size, -1, "write");
    return may < 0 ? -1 : REAL(write)(fd, data, (size_t)may);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    ssize_t may = allowed(fd, size, at, "write");
    return may < 0 ? -1 : REAL(pwrite)(fd, data, (size_t)may, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    ssize_t may = allowed(fd, size, at, "write");
    return may < 0 ? -1 : REAL(pwrite64)(fd, data, (size_t)may, at);
}

static void count_descriptor(int fd, const char *what)
{
    char path[PATH_MAX];
    if (path_of(fd, path))
        count(what, path);
}

int ftruncate(int fd, off_t size)
{
    count_descriptor(fd, "truncate");
    return REAL(ftruncate)(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    count_descriptor(fd, "truncate");
    return REAL(ftruncate64)(fd, size);
}

static void count_path(const char *path, const char *what)
{
    if (ours(path))
        count(what, path);
}

int rename(const char *from, const char *to)
{
    count_path(to, "rename");
    return REAL(rename)(from, to);
}

/* Whoever asks how much room there is gets the same answer as whoever writes. */
int statvfs64(const char *path, struct statvfs64 *told)
{
    int outcome = REAL(statvfs64)(path, told);
    if (!outcome && room >= 0 && ours(path))
        told->f_bavail = told->f_bfree = (fsblkcnt64_t)room / told->f_frsize;
    return outcome;
}

int statvfs(const char *path, struct statvfs *told)
{
    int outcome = REAL(statvfs)(path, told);
    if (!outcome && room >= 0 && ours(path))
        told->f_bavail = told->f_bfree = (fsblkcnt_t)room / told->f_frsize;
    return outcome;
}

int link(const char *from, const char *to)
{
    count_path(to, "link");
    return REAL(link)(from, to);
}

int unlink(const char *path)
{
    count_path(path, "unlink");
    return REAL(unlink)(path);
}
