/* bare_curl URL…: asks all URLs at once through libcurl's multi interface, throws the bodies away and prints nothing:
 * what a process costs that does no more than that. Exit status 1 unless every answer is a 200. */
#include <curl/curl.h>

#include <stdlib.h>

static size_t forget(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    *(size_t *)user += size * count;
    return size * count;
}

int main(int argc, char **argv)
{
    size_t bytes = 0;
    int good = 0, running = 1, left;
    CURLMsg *message;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    CURL **easy = calloc((size_t)argc, sizeof(CURL *));
    if (!multi || !easy) return 1;
    for (int i = 1; i < argc; i++) {
        easy[i] = curl_easy_init();
        curl_easy_setopt(easy[i], CURLOPT_URL, argv[i]);
        curl_easy_setopt(easy[i], CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy[i], CURLOPT_WRITEFUNCTION, forget);
        curl_easy_setopt(easy[i], CURLOPT_WRITEDATA, &bytes);
        curl_multi_add_handle(multi, easy[i]);
    }
    while (running)
        if (curl_multi_perform(multi, &running) || (running && curl_multi_poll(multi, NULL, 0, 10000, NULL))) return 1;
    while ((message = curl_multi_info_read(multi, &left))) {
        long status = 0;
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        good += message->data.result == CURLE_OK && status == 200;
    }
    for (int i = 1; i < argc; i++) {
        curl_multi_remove_handle(multi, easy[i]);
        curl_easy_cleanup(easy[i]);
    }
    free(easy);
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    return good == argc - 1 && bytes ? 0 : 1;
}
