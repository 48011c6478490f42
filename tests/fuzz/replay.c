/* Feeds a fuzz target every file of a folder: replay FOLDER. */
#include "fuzz.h"

#include <dirent.h>

static int feed(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = malloc(1 << 20);
    size_t len = f && bytes ? fread(bytes, 1, 1 << 20, f) : 0;
    uint8_t *exact = malloc(len ? len : 1); /* so that reading past its end is noticed */
    if (!f || !bytes || !exact) return 1;
    memcpy(exact, bytes, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(bytes);
    free(exact);
    return fclose(f);
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    const struct dirent *entry;
    int count = 0;
    if (!folder) return 2;
    while ((entry = readdir(folder))) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (feed(path)) return 1;
        count++;
    }
    closedir(folder);
    printf("%d inputs\n", count);
    return count ? 0 : 1;
}
