/* An external TFLite delegate that only tells what options it was given. */
#include <stddef.h>
#include <stdio.h>

void *tflite_plugin_create_delegate(const char *const *keys, const char *const *values,
                                    size_t count, void (*report)(const char *)) {
  char text[256];
  snprintf(text, sizeof text, "refused %zu options: %s=%s", count, count ? keys[0] : "",
           count ? values[0] : "");
  report(text);
  return NULL;
}

void tflite_plugin_destroy_delegate(void *delegate) { (void)delegate; }
