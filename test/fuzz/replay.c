/*-------------------------------------------------------------------------
 *
 * replay.c
 *	  Plays files through the function that libFuzzer would call.
 *
 * Each is played twice, so that what one leaves behind cannot help the next.
 * Names the file before it is played: the last one named is the culprit.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
	{
		FILE	   *file = fopen(argv[i], "rb");
		uint8	   *data;
		size_t		size;

		if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		{
			perror(argv[i]);
			return 2;
		}
		size = ftell(file);
		rewind(file);

		/* Exactly as large as it is, so that a read behind it is seen. */
		data = malloc(Max(1, size));
		if (data == NULL || fread(data, 1, size, file) != size)
		{
			perror(argv[i]);
			return 2;
		}
		fclose(file);
		puts(argv[i]);
		fflush(stdout);
		(void) LLVMFuzzerTestOneInput(data, size);
		(void) LLVMFuzzerTestOneInput(data, size);
		free(data);
	}
	return 0;
}
