// Module `rig`: the files and the command line of the computer that emulates this one, by semihosting
// ("Semihosting for AArch32 and AArch64", Arm 2022; RISC-V takes over its calls).

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "py/mperrno.h"
#include "py/runtime.h"
#include "py/stream.h"

#define SYS_OPEN 0x01
#define READ 0
#define READ_AND_WRITE 2
#define WRITE 4
#define APPEND 8
#define BINARY 1
#define SYS_CLOSE 0x02
#define SYS_WRITE 0x05
#define SYS_READ 0x06
#define SYS_SEEK 0x0a
#define SYS_FLEN 0x0c
#define SYS_REMOVE 0x0e
#define SYS_RENAME 0x0f
#define SYS_ERRNO 0x13
#define SYS_GET_CMDLINE 0x15

static intptr_t semihosting(intptr_t operation, const void *arguments) {
    register intptr_t a0 __asm("a0") = operation;
    register const void *a1 __asm("a1") = arguments;
    __asm volatile (
        ".option push\n"
        ".option norvc\n"
        ".balign 16\n" // the three must lie in one page
        "slli zero, zero, 0x1f\n"
        "ebreak\n"
        "srai zero, zero, 7\n"
        ".option pop\n"
        : "+r" (a0) : "r" (a1) : "memory");
    return a0;
}

static __attribute__((noreturn)) void raise_errno(void) {
    mp_raise_OSError(semihosting(SYS_ERRNO, NULL));
}

typedef struct {
    mp_obj_base_t base;
    intptr_t handle;
    mp_off_t position;
} file_t;

static intptr_t open_file(const char *path, size_t length, int mode) {
    uintptr_t arguments[] = {(uintptr_t)path, mode, length};
    return semihosting(SYS_OPEN, arguments);
}

static void close_file(intptr_t handle) {
    semihosting(SYS_CLOSE, &handle);
}

// Both SYS_READ and SYS_WRITE answer how many bytes are left to do.
static mp_uint_t transfer(int operation, file_t *file, uintptr_t buffer, mp_uint_t size) {
    uintptr_t arguments[] = {file->handle, buffer, size};
    uintptr_t left = semihosting(operation, arguments);
    mp_uint_t done = left > size ? 0 : size - left;
    file->position += done;
    return done;
}

// An error cannot be told from the file's end.
static mp_uint_t file_read(mp_obj_t self, void *buffer, mp_uint_t size, int *error) {
    return transfer(SYS_READ, MP_OBJ_TO_PTR(self), (uintptr_t)buffer, size);
}

static mp_uint_t file_write(mp_obj_t self, const void *buffer, mp_uint_t size, int *error) {
    mp_uint_t done = transfer(SYS_WRITE, MP_OBJ_TO_PTR(self), (uintptr_t)buffer, size);
    if (done == 0 && size > 0) {
        *error = semihosting(SYS_ERRNO, NULL);
        return MP_STREAM_ERROR;
    }
    return done;
}

static mp_uint_t file_ioctl(mp_obj_t self, mp_uint_t request, uintptr_t argument, int *error) {
    file_t *file = MP_OBJ_TO_PTR(self);
    if (request == MP_STREAM_CLOSE) {
        if (file->handle >= 0) {
            close_file(file->handle);
        }
        file->handle = -1;
        return 0;
    }
    if (request == MP_STREAM_FLUSH) {
        return 0;
    }
    if (request == MP_STREAM_SEEK) {
        struct mp_stream_seek_t *seek = (struct mp_stream_seek_t *)argument;
        mp_off_t start = seek->whence == MP_SEEK_SET ? 0 : seek->whence == MP_SEEK_CUR ? file->position
            : semihosting(SYS_FLEN, &file->handle);
        intptr_t arguments[] = {file->handle, start + seek->offset};
        if (semihosting(SYS_SEEK, arguments) < 0) {
            *error = MP_EINVAL;
            return MP_STREAM_ERROR;
        }
        seek->offset = file->position = start + seek->offset;
        return 0;
    }
    *error = MP_EINVAL;
    return MP_STREAM_ERROR;
}

static const mp_rom_map_elem_t file_names_table[] = {
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&mp_stream_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&mp_stream_readinto_obj) },
    { MP_ROM_QSTR(MP_QSTR_readline), MP_ROM_PTR(&mp_stream_unbuffered_readline_obj) },
    { MP_ROM_QSTR(MP_QSTR_readlines), MP_ROM_PTR(&mp_stream_unbuffered_readlines_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&mp_stream_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_flush), MP_ROM_PTR(&mp_stream_flush_obj) },
    { MP_ROM_QSTR(MP_QSTR_seek), MP_ROM_PTR(&mp_stream_seek_obj) },
    { MP_ROM_QSTR(MP_QSTR_tell), MP_ROM_PTR(&mp_stream_tell_obj) },
    { MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&mp_stream_close_obj) },
    { MP_ROM_QSTR(MP_QSTR___enter__), MP_ROM_PTR(&mp_identity_obj) },
    { MP_ROM_QSTR(MP_QSTR___exit__), MP_ROM_PTR(&mp_stream___exit___obj) },
};
static MP_DEFINE_CONST_DICT(file_names, file_names_table);

static const mp_stream_p_t bytes_stream = {
    .read = file_read, .write = file_write, .ioctl = file_ioctl,
};
static const mp_stream_p_t text_stream = {
    .read = file_read, .write = file_write, .ioctl = file_ioctl, .is_text = true,
};
static MP_DEFINE_CONST_OBJ_TYPE(bytes_file, MP_QSTR_FileIO, MP_TYPE_FLAG_ITER_IS_STREAM,
    protocol, &bytes_stream, locals_dict, &file_names);
static MP_DEFINE_CONST_OBJ_TYPE(text_file, MP_QSTR_TextIOWrapper, MP_TYPE_FLAG_ITER_IS_STREAM,
    protocol, &text_stream, locals_dict, &file_names);

// open(path, mode): one of the computer's files.
static mp_obj_t rig_open(mp_obj_t path_in, mp_obj_t mode_in) {
    size_t length;
    const char *path = mp_obj_str_get_data(path_in, &length);
    const char *mode = mp_obj_str_get_str(mode_in);
    bool bytes = strchr(mode, 'b') != NULL;
    int number = (*mode == 'w' ? WRITE : *mode == 'a' ? APPEND : READ) + (strchr(mode, '+') ? READ_AND_WRITE : 0);
    intptr_t handle = open_file(path, length, number + BINARY);
    if (handle < 0) {
        raise_errno();
    }
    file_t *file = mp_obj_malloc(file_t, bytes ? &bytes_file : &text_file);
    file->handle = handle;
    file->position = 0;
    return MP_OBJ_FROM_PTR(file);
}
static MP_DEFINE_CONST_FUN_OBJ_2(rig_open_obj, rig_open);

// size(path): a file's size in bytes, or None for a folder. Raises OSError when there is neither.
static mp_obj_t rig_size(mp_obj_t path_in) {
    size_t length;
    const char *path = mp_obj_str_get_data(path_in, &length);
    // Semihosting knows no folders, but none can be opened for writing.
    intptr_t handle = open_file(path, length, READ_AND_WRITE);
    if (handle < 0 && semihosting(SYS_ERRNO, NULL) == MP_EISDIR) {
        return mp_const_none;
    }
    if (handle < 0) {
        handle = open_file(path, length, READ);
    }
    if (handle < 0) {
        raise_errno();
    }
    intptr_t size = semihosting(SYS_FLEN, &handle);
    close_file(handle);
    return mp_obj_new_int(size);
}
static MP_DEFINE_CONST_FUN_OBJ_1(rig_size_obj, rig_size);

static mp_obj_t rig_remove(mp_obj_t path_in) {
    size_t length;
    const char *path = mp_obj_str_get_data(path_in, &length);
    uintptr_t arguments[] = {(uintptr_t)path, length};
    if (semihosting(SYS_REMOVE, arguments) != 0) {
        raise_errno();
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(rig_remove_obj, rig_remove);

static mp_obj_t rig_rename(mp_obj_t old_in, mp_obj_t new_in) {
    size_t old_length, new_length;
    const char *old = mp_obj_str_get_data(old_in, &old_length);
    const char *new = mp_obj_str_get_data(new_in, &new_length);
    uintptr_t arguments[] = {(uintptr_t)old, old_length, (uintptr_t)new, new_length};
    if (semihosting(SYS_RENAME, arguments) != 0) {
        raise_errno();
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(rig_rename_obj, rig_rename);

// command_line(): what the computer passed, "" for nothing.
static mp_obj_t rig_command_line(void) {
    char text[1024] = "";
    uintptr_t arguments[] = {(uintptr_t)text, sizeof(text)};
    if (semihosting(SYS_GET_CMDLINE, arguments) != 0) {
        return MP_OBJ_NEW_QSTR(MP_QSTR_);
    }
    return mp_obj_new_str(text, strlen(text));
}
static MP_DEFINE_CONST_FUN_OBJ_0(rig_command_line_obj, rig_command_line);

// exit(status): end the emulation.
static mp_obj_t rig_exit(mp_obj_t status) {
    exit(mp_obj_get_int(status));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(rig_exit_obj, rig_exit);

static const mp_rom_map_elem_t rig_names_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_rig) },
    { MP_ROM_QSTR(MP_QSTR_open), MP_ROM_PTR(&rig_open_obj) },
    { MP_ROM_QSTR(MP_QSTR_size), MP_ROM_PTR(&rig_size_obj) },
    { MP_ROM_QSTR(MP_QSTR_remove), MP_ROM_PTR(&rig_remove_obj) },
    { MP_ROM_QSTR(MP_QSTR_rename), MP_ROM_PTR(&rig_rename_obj) },
    { MP_ROM_QSTR(MP_QSTR_command_line), MP_ROM_PTR(&rig_command_line_obj) },
    { MP_ROM_QSTR(MP_QSTR_exit), MP_ROM_PTR(&rig_exit_obj) },
};
static MP_DEFINE_CONST_DICT(rig_names, rig_names_table);

const mp_obj_module_t rig_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&rig_names,
};
MP_REGISTER_MODULE(MP_QSTR_rig, rig_module);
