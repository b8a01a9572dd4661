/*
 * A camera of Video4Linux where there is none: OpenCV and the controls talk to the file KMC_V4L2_NODE as they do
 * to a device, and this answers in the kernel's place (linux/videodev2.h, Documentation/userspace-api/media/v4l).
 * What it shows and how it fails stands in the file KMC_V4L2_STATE, which the test writes while it runs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#define BUFFERS 4
#define ROOM (26u << 20)
#define CONTROLS 6

enum { FLOWS, STALLS, GONE };

struct control {
    uint32_t id;
    int32_t low, high, value;
};

/* As struct.pack("=8I24i") of tests/drivers/v4l2_camera.py, then two pictures that take turns. */
struct state {
    uint32_t mode, format, width, height, frame_us, bytes[2], streaming;
    struct control controls[CONTROLS];
};

static struct state *state;
static uint8_t *pictures;
static uint8_t *memory[BUFFERS];
static uint8_t queued[BUFFERS];
static int device = -1;
static uint32_t number;
static int64_t due_us;

static int64_t now_us(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000LL + at.tv_nsec / 1000;
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

static int is_node(const char *path) {
    const char *node = getenv("KMC_V4L2_NODE");
    char leads_to[512];
    if (!node || !path) return 0;
    if (strcmp(path, node) == 0) return 1;
    ssize_t length = readlink(path, leads_to, sizeof leads_to - 1);
    if (length <= 0) return 0;
    leads_to[length] = 0;
    return strcmp(leads_to, node) == 0;
}

static int take(int (*really)(const char *, int, ...), const char *path, int flags, int mode) {
    if (!is_node(path)) return really(path, flags, mode);
    if (!state) {
        int file = really(getenv("KMC_V4L2_STATE"), O_RDWR | O_CLOEXEC, 0);
        if (file < 0) return -1;
        state = ((void *(*)(void *, size_t, int, int, int, off_t))next("mmap"))(
            NULL, 4096 + 2 * (size_t)ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        close(file);
        pictures = (uint8_t *)state + 4096;
    }
    if (state->mode == GONE) {
        errno = ENODEV;
        return -1;
    }
    int opened = really("/dev/null", O_RDWR | O_CLOEXEC, 0);
    /* The first one streams; whoever opens it besides only sets controls. */
    if (device < 0) device = opened;
    return opened;
}

#define OPEN(name)                                                                   \
    int name(const char *path, int flags, ...) {                                     \
        va_list rest;                                                                \
        va_start(rest, flags);                                                       \
        int mode = va_arg(rest, int);                                                \
        va_end(rest);                                                                \
        int opened = take((int (*)(const char *, int, ...))next(#name), path, flags, mode); \
        if (opened >= 0 && is_node(path)) mine[opened & 1023] = 1;                   \
        return opened;                                                               \
    }

static uint8_t mine[1024];
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (fd >= 0) mine[fd & 1023] = 0;
    if (fd == device) device = -1;
    return ((int (*)(int))next("close"))(fd);
}

static int fails(int why) {
    errno = why;
    return -1;
}

static int control(unsigned long request, void *given) {
    uint32_t id = *(uint32_t *)given;
    for (int one = 0; one < CONTROLS; one++) {
        struct control *known = &state->controls[one];
        if (known->id != id || !id) continue;
        if (request == VIDIOC_QUERYCTRL) {
            struct v4l2_queryctrl *asked = given;
            memset(asked, 0, sizeof *asked);
            asked->id = id, asked->type = V4L2_CTRL_TYPE_INTEGER, asked->step = 1;
            asked->minimum = known->low, asked->maximum = known->high;
            return 0;
        }
        struct v4l2_control *wanted = given;
        if (request == VIDIOC_G_CTRL) return wanted->value = known->value, 0;
        if (wanted->value < known->low || wanted->value > known->high) return fails(ERANGE);
        return known->value = wanted->value, 0;
    }
    return fails(EINVAL);
}

static void describe(struct v4l2_format *form) {
    form->fmt.pix.pixelformat = state->format;
    form->fmt.pix.width = state->width;
    form->fmt.pix.height = state->height;
    form->fmt.pix.field = V4L2_FIELD_NONE;
    form->fmt.pix.bytesperline = state->bytes[0] / state->height;
    form->fmt.pix.sizeimage = ROOM;
}

static int dequeue(struct v4l2_buffer *wanted) {
    if (!state->streaming) return fails(EINVAL);
    if (state->mode == STALLS || now_us() < due_us) return fails(EAGAIN);
    for (uint32_t one = 0; one < BUFFERS; one++) {
        if (!queued[one]) continue;
        uint32_t which = number++ % 2;
        memcpy(memory[one], pictures + which * (size_t)ROOM, state->bytes[which]);
        queued[one] = 0;
        wanted->index = one, wanted->bytesused = state->bytes[which], wanted->length = ROOM;
        wanted->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_DONE, wanted->sequence = number;
        wanted->field = V4L2_FIELD_NONE, wanted->m.offset = one * ROOM;
        due_us = now_us() + state->frame_us;
        return 0;
    }
    return fails(EAGAIN);
}

static int answer(unsigned long request, void *given) {
    if (state->mode == GONE) return fails(ENODEV);
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *told = given;
        memset(told, 0, sizeof *told);
        strcpy((char *)told->driver, "uvcvideo");
        strcpy((char *)told->card, "HD Webcam");
        told->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        told->capabilities = told->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_G_INPUT: return *(int *)given = 0, 0;
    case VIDIOC_S_INPUT: return 0;
    case VIDIOC_ENUMINPUT: return ((struct v4l2_input *)given)->index ? fails(EINVAL) : 0;
    case VIDIOC_G_FMT:
    case VIDIOC_S_FMT:
    case VIDIOC_TRY_FMT: return describe(given), 0;
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *told = given;
        told->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        told->parm.capture.timeperframe.numerator = 1;
        told->parm.capture.timeperframe.denominator = 1000000 / state->frame_us;
        return 0;
    }
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *wanted = given;
        if (wanted->count > BUFFERS) wanted->count = BUFFERS;
        memset(queued, 0, sizeof queued);
        return 0;
    }
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *asked = given;
        if (asked->index >= BUFFERS) return fails(EINVAL);
        asked->length = ROOM, asked->m.offset = asked->index * ROOM;
        return 0;
    }
    case VIDIOC_QBUF: return queued[((struct v4l2_buffer *)given)->index % BUFFERS] = 1, 0;
    case VIDIOC_DQBUF: return dequeue(given);
    case VIDIOC_STREAMON: return state->streaming = 1, due_us = now_us(), 0;
    case VIDIOC_STREAMOFF: return state->streaming = 0, memset(queued, 0, sizeof queued), 0;
    case VIDIOC_QUERYCTRL:
    case VIDIOC_G_CTRL:
    case VIDIOC_S_CTRL: return control(request, given);
    default: return fails(ENOTTY);
    }
}

int ioctl(int fd, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *given = va_arg(rest, void *);
    va_end(rest);
    if (fd >= 0 && mine[fd & 1023]) return answer(request & 0xFFFFFFFFul, given);
    return ((int (*)(int, unsigned long, ...))next("ioctl"))(fd, request, given);
}

static void *map(const char *name, void *at, size_t length, int rights, int flags, int fd, off_t offset) {
    void *(*really)(void *, size_t, int, int, int, off_t) = next(name);
    if (fd < 0 || !mine[fd & 1023]) return really(at, length, rights, flags, fd, offset);
    uint32_t one = (uint32_t)(offset / ROOM) % BUFFERS;
    memory[one] = really(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory[one];
}

void *mmap(void *at, size_t length, int rights, int flags, int fd, off_t offset) {
    return map("mmap", at, length, rights, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int rights, int flags, int fd, off_t offset) {
    return map("mmap64", at, length, rights, flags, fd, offset);
}

int select(int count, fd_set *reads, fd_set *writes, fd_set *others, struct timeval *limit) {
    if (device < 0 || device >= count || !reads || !FD_ISSET(device, reads))
        return ((int (*)(int, fd_set *, fd_set *, fd_set *, struct timeval *))next("select"))(
            count, reads, writes, others, limit);
    int64_t ends = now_us() + (limit ? limit->tv_sec * 1000000LL + limit->tv_usec : 60000000LL);
    while (now_us() < ends) {
        if (state->mode == GONE || (state->mode == FLOWS && now_us() >= due_us)) return 1;
        usleep(2000);
    }
    FD_ZERO(reads);
    return 0;
}
