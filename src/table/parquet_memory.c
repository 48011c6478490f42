#include "table/parquet_memory.h"

#include <carquet/carquet.h>
#include <malloc.h>
#include <stdlib.h>

_Thread_local struct lp_parquet_memory lp_parquet_memory;

static void *counted(void *at)
{
    if (at) lp_parquet_memory.in_use += malloc_usable_size(at);
    else lp_parquet_memory.starved = true;
    return at;
}

static void *take(size_t bytes, void *context)
{
    (void)context;
    return counted(malloc(bytes ? bytes : 1));
}

static void *resize(void *before, size_t bytes, void *context)
{
    (void)context;
    size_t had = malloc_usable_size(before);
    void *at = counted(realloc(before, bytes ? bytes : 1));
    if (at) lp_parquet_memory.in_use -= had;
    return at;
}

static void give_back(void *at, void *context)
{
    (void)context;
    lp_parquet_memory.in_use -= malloc_usable_size(at);
    free(at);
}

void lp_parquet_memory_use(void)
{
    static const carquet_allocator_t allocator = {.malloc = take, .realloc = resize, .free = give_back};
    if (carquet_get_allocator()->malloc != take) carquet_set_allocator(&allocator);
}
