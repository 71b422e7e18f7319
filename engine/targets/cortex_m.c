/* The kernels of the firmware. */
#include "targets/portable.c"
