;; WASI preview 1 for modules that need no files: what compilers' libraries ask for, over a few functions of the host.
;;
;; The module has no memory of its own and keeps nothing between calls. It works in the plugin's memory and never asks the plugin
;; to allocate: Go's allocator cannot be called before Go's start is over, and Go asks for the time while it allocates.
;;
;; Error numbers: 0 success, 8 `badf` (no such descriptor), 28 `inval`, 52 `nosys`. A descriptor is 0, 1 or 2; there are no folders.
(module
  (import "env" "memory" (memory 0))
  (import "pocket:preview1/host@1.0.0" "now" (func $now (param $clock i32) (result i64)))
  (import "pocket:preview1/host@1.0.0" "sleep" (func $sleep (param $nanoseconds i64)))
  (import "pocket:preview1/host@1.0.0" "random" (func $random (result i64)))
  (import "pocket:preview1/host@1.0.0" "print" (func $print (param $at i32) (param $length i32)))
  (import "pocket:preview1/host@1.0.0" "exit" (func $exit (param $code i32)))
  (import "pocket:preview1/host@1.0.0" "environment-variables" (func $variables (result i32)))
  (import "pocket:preview1/host@1.0.0" "environment-size" (func $environment_size (result i32)))
  (import "pocket:preview1/host@1.0.0" "environment-byte" (func $environment_byte (param $index i32) (result i32)))

  (func (export "args_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "args_sizes_get") (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $size) (i32.const 0))
    (i32.const 0))

  ;; Variables are `NAME=value`, each with a zero byte at its end.
  (func (export "environ_sizes_get") (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (call $variables))
    (i32.store (local.get $size) (call $environment_size))
    (i32.const 0))
  (func (export "environ_get") (param $pointers i32) (param $texts i32) (result i32)
    (local $index i32) (local $size i32) (local $byte i32) (local $previous i32)
    (local.set $size (call $environment_size))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $index) (local.get $size)))
        ;; A variable starts after a zero byte, and at the start, where `previous` is still 0.
        (if (i32.eqz (local.get $previous)) (then
          (i32.store (local.get $pointers) (i32.add (local.get $texts) (local.get $index)))
          (local.set $pointers (i32.add (local.get $pointers) (i32.const 4)))))
        (local.set $byte (call $environment_byte (local.get $index)))
        (i32.store8 (i32.add (local.get $texts) (local.get $index)) (local.get $byte))
        (local.set $previous (local.get $byte))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; Clock 0 is the time of day, 1 the monotonic one; the others count a process's time and are not there.
  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $time i32) (result i32)
    (if (i32.gt_u (local.get $clock) (i32.const 1)) (then (return (i32.const 28))))
    (i64.store (local.get $time) (call $now (local.get $clock)))
    (i32.const 0))
  (func (export "clock_res_get") (param $clock i32) (param $resolution i32) (result i32)
    (if (i32.gt_u (local.get $clock) (i32.const 1)) (then (return (i32.const 28))))
    (i64.store (local.get $resolution) (i64.const 1))
    (i32.const 0))

  (func (export "random_get") (param $at i32) (param $length i32) (result i32)
    (local $bits i64)
    (block $done
      (loop $eight
        (br_if $done (i32.lt_u (local.get $length) (i32.const 8)))
        (i64.store (local.get $at) (call $random))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (local.set $length (i32.sub (local.get $length) (i32.const 8)))
        (br $eight)))
    (local.set $bits (call $random))
    (block $done
      (loop $one
        (br_if $done (i32.eqz (local.get $length)))
        (i64.store8 (local.get $at) (local.get $bits))
        (local.set $bits (i64.shr_u (local.get $bits) (i64.const 8)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $one)))
    (i32.const 0))

  ;; 1 and 2 go to the plugin's log. The parts of a text are pairs of pointer and length.
  (func (export "fd_write") (param $fd i32) (param $parts i32) (param $count i32) (param $written i32) (result i32)
    (local $length i32) (local $sum i32)
    (if (i32.gt_u (i32.sub (local.get $fd) (i32.const 1)) (i32.const 1)) (then (return (i32.const 8))))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $length (i32.load offset=4 (local.get $parts)))
        (call $print (i32.load (local.get $parts)) (local.get $length))
        (local.set $sum (i32.add (local.get $sum) (local.get $length)))
        (local.set $parts (i32.add (local.get $parts) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $written) (local.get $sum))
    (i32.const 0))

  ;; 0 is empty.
  (func (export "fd_read") (param $fd i32) (param $parts i32) (param $count i32) (param $read i32) (result i32)
    (if (local.get $fd) (then (return (i32.const 8))))
    (i32.store (local.get $read) (i32.const 0))
    (i32.const 0))

  ;; 0, 1 and 2 are character devices without rights to seek, so that libraries buffer by lines.
  (func (export "fd_fdstat_get") (param $fd i32) (param $stat i32) (result i32)
    (if (i32.gt_u (local.get $fd) (i32.const 2)) (then (return (i32.const 8))))
    (i64.store (local.get $stat) (i64.const 2))
    (i64.store offset=8 (local.get $stat) (select (i64.const 0x40) (i64.const 0x2) (local.get $fd)))
    (i64.store offset=16 (local.get $stat) (i64.const 0))
    (i32.const 0))
  (func (export "fd_fdstat_set_flags") (param $fd i32) (param $flags i32) (result i32)
    (select (i32.const 8) (i32.const 0) (i32.gt_u (local.get $fd) (i32.const 2))))
  (func (export "fd_close") (param $fd i32) (result i32)
    (select (i32.const 8) (i32.const 0) (i32.gt_u (local.get $fd) (i32.const 2))))

  ;; Waits for the earliest of clocks; descriptors cannot be waited for. A subscription has 48 bytes: the caller's number, the
  ;; tag at 8 (0 is a clock), the clock at 16, the time at 24, flags at 40 (1: a point in time). An event has 32.
  (func (export "poll_oneoff") (param $in i32) (param $out i32) (param $count i32) (param $events i32) (result i32)
    (local $time i64) (local $now i64) (local $earliest i64) (local $which i32)
    (local.set $earliest (i64.const -1))
    (if (i32.eqz (local.get $count)) (then (return (i32.const 28))))
    (loop $next
      (if (i32.load8_u offset=8 (local.get $in)) (then (return (i32.const 52))))
      (if (i32.gt_u (i32.load offset=16 (local.get $in)) (i32.const 1)) (then (return (i32.const 28))))
      (local.set $time (i64.load offset=24 (local.get $in)))
      (if (i32.and (i32.load16_u offset=40 (local.get $in)) (i32.const 1)) (then
        (local.set $now (call $now (i32.load offset=16 (local.get $in))))
        (local.set $time (select
          (i64.sub (local.get $time) (local.get $now)) (i64.const 0)
          (i64.gt_u (local.get $time) (local.get $now))))))
      (if (i64.lt_u (local.get $time) (local.get $earliest)) (then
        (local.set $earliest (local.get $time))
        (local.set $which (local.get $in))))
      (local.set $in (i32.add (local.get $in) (i32.const 48)))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (call $sleep (local.get $earliest))
    (i64.store (local.get $out) (i64.load (local.get $which)))
    (i64.store offset=8 (local.get $out) (i64.const 0))
    (i64.store offset=16 (local.get $out) (i64.const 0))
    (i64.store offset=24 (local.get $out) (i64.const 0))
    (i32.store (local.get $events) (i32.const 1))
    (i32.const 0))

  (func (export "proc_exit") (param $code i32) (call $exit (local.get $code)) unreachable)
  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; No folder is open, and none can be: the search for open folders ends at the first descriptor.
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 52))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (i32.const 52))
  (func (export "fd_datasync") (param i32) (result i32) (i32.const 52))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (i32.const 52))
  (func (export "fd_filestat_get") (param i32 i32) (result i32) (i32.const 52))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 52))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 52))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 52))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 52))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 52))
  (func (export "fd_renumber") (param i32 i32) (result i32) (i32.const 52))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 52))
  (func (export "fd_sync") (param i32) (result i32) (i32.const 52))
  (func (export "fd_tell") (param i32 i32) (result i32) (i32.const 52))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 52))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 52))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "proc_raise") (param i32) (result i32) (i32.const 52))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 52)))
